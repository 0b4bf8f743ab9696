package embedded

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// account is the user that the server programs run as. The zero account is the current user.
type account struct {
	cred *syscall.Credential
}

// accountFor returns the current user, or, as root, the user for the server of dir: the folder's owner once it belongs to
// somebody else than root, else "postgres", else "nobody". The owner comes first so that a data folder stays usable when a
// package adds the user "postgres" later.
func accountFor(dir string) (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	if info, err := os.Stat(dir); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 {
			return account{&syscall.Credential{Uid: st.Uid, Gid: st.Gid}}, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr != nil || gidErr != nil || uid == 0 {
			continue
		}
		return account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return account{}, fmt.Errorf("find an unprivileged user to run Postgres as: neither postgres nor nobody exists (set SKALD_DATABASE_URL, or do not run as root)")
}

// own gives path to the account. As the current user there is nothing to give.
func (a account) own(path string) error {
	if a.cred == nil {
		return nil
	}
	return os.Chown(path, int(a.cred.Uid), int(a.cred.Gid))
}
