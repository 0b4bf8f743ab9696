package api

import (
	"errors"
	"net/http"
	"slices"
)

// Permission is what a route needs.
type Permission string

// The permissions. A route of Public needs no principal.
const (
	Public         Permission = "public"
	PermitRead     Permission = "read"     // sagas, definitions, counts; payloads without the redacted parts
	PermitPayloads Permission = "payloads" // the redacted parts too, and quarantined records
	PermitStart    Permission = "start"    // sagas
	PermitOperate  Permission = "operate"  // cancel, retry, complete, ...
	PermitVouch    Permission = "vouch"    // say by one's own word what became of a step (complete, reject), correct a payload, or redrive a reply whose token nobody can check
	PermitBulk     Permission = "bulk"     // act on many sagas in one operation
	PermitDeploy   Permission = "deploy"   // definitions
	PermitAudit    Permission = "audit"    // the record of operator actions
	PermitAdmin    Permission = "admin"    // API keys; and in TenantDefault what touches every tenant
)

// Role is a set of permissions.
type Role string

// The roles.
const (
	RoleViewer        Role = "viewer"
	RolePayloadReader Role = "payload-reader"
	RoleStarter       Role = "starter" // a service that starts sagas
	RoleOperator      Role = "operator"
	RoleSupervisor    Role = "supervisor" // an operator whose word counts, and who acts on many sagas at once
	RoleDeployer      Role = "deployer"
	RoleAuditor       Role = "auditor"
	RoleAdmin         Role = "admin"
)

// Roles lists every role.
func Roles() []Role {
	return []Role{RoleViewer, RolePayloadReader, RoleStarter, RoleOperator, RoleSupervisor, RoleDeployer, RoleAuditor, RoleAdmin}
}

// Permissions lists what a role may; nothing for an unknown one.
func (r Role) Permissions() []Permission {
	switch r {
	case RoleViewer:
		return []Permission{PermitRead}
	case RolePayloadReader:
		return []Permission{PermitRead, PermitPayloads}
	case RoleStarter:
		return []Permission{PermitRead, PermitStart}
	case RoleOperator:
		return []Permission{PermitRead, PermitStart, PermitOperate}
	case RoleSupervisor:
		return []Permission{PermitRead, PermitStart, PermitOperate, PermitVouch, PermitBulk}
	case RoleDeployer:
		return []Permission{PermitRead, PermitDeploy}
	case RoleAuditor:
		return []Permission{PermitRead, PermitAudit}
	case RoleAdmin:
		return []Permission{PermitRead, PermitPayloads, PermitStart, PermitOperate, PermitVouch, PermitBulk, PermitDeploy, PermitAudit, PermitAdmin}
	}
	return nil
}

// TenantDefault is the tenant of those who run the installation: its admins may do what touches every tenant.
const TenantDefault = "default"

// Principal is who asks, and for which tenant.
type Principal struct {
	Name   string // stands in the audit
	Tenant string
	Roles  []Role
	// Session says that a browser's session stands for it, which signing out ends.
	Session bool `json:"-"`
}

// May reports whether one of the principal's roles has the permission.
func (p Principal) May(want Permission) bool {
	return want == Public || slices.ContainsFunc(p.Roles, func(r Role) bool { return slices.Contains(r.Permissions(), want) })
}

// mayTouchAll reports whether the principal may do what touches every tenant.
func (p Principal) mayTouchAll() bool { return p.Tenant == TenantDefault && p.May(PermitAdmin) }

// anonymous is who asks where nobody is authenticated: admin of the default tenant. CheckExposure and the loopback guard keep
// strangers away from it.
func anonymous() Principal {
	return Principal{Name: "anonymous", Tenant: TenantDefault, Roles: []Role{RoleAdmin}}
}

// ErrUnauthenticated says that a request does not show who asks, or not credibly; it becomes 401.
var ErrUnauthenticated = errors.New("authentication is required")

// Authenticator finds out who asks. It is safe for concurrent use. Errors other than ErrUnauthenticated become 503.
type Authenticator interface {
	Authenticate(r *http.Request) (Principal, error)
}
