package ui

import "slices"

// Shell is what all pages of one request share.
type Shell struct {
	Asset   func(name string) string // the URL of an asset, with its hash
	Version string                   // of the program
	Name    string                   // of who looks
	Tenant  string
	Roles   []string                     // of who looks
	Session bool                         // who looks has signed in, and may sign out
	May     func(permission string) bool // of who looks; nil: the navigation has every entry
	Alarms  int64                        // sagas that need a person; shown beside the name of the overview. Negative: not known
}

// Page is the head of one page.
type Page struct {
	Shell   *Shell
	Title   string   // plain text, as it stands in the tab
	Section Section  // the entry of the navigation that it belongs to
	Bare    bool     // nobody is signed in: no navigation, no search
	Query   string   // what the search field shows
	Styles  []string // names of assets beside those that every page has
	Scripts []string // the same
}

// Section is an entry of the navigation.
type Section string

// The sections.
const (
	Overview     Section = "overview"
	Sagas        Section = "sagas"
	Definitions  Section = "definitions"
	Participants Section = "participants"
	Quarantine   Section = "quarantine"
	Operations   Section = "operations"
	Holds        Section = "holds"
	Audit        Section = "audit"
)

type entry struct {
	section Section
	name    string
	path    string
	key     string // after g
	permit  string // what it takes
}

// entries are those that who looks may see.
func (s *Shell) entries() []entry {
	const read = "read"
	all := []entry{
		{Overview, "Overview", "/", "o", read},
		{Sagas, "Sagas", "/sagas", "s", read},
		{Definitions, "Definitions", "/definitions", "d", read},
		{Participants, "Participants", "/participants", "p", read},
		{Quarantine, "Quarantine", "/quarantine", "q", read},
		{Operations, "Operations", "/operations", "b", read},
		{Holds, "Holds", "/holds", "h", read},
		{Audit, "Audit", "/audit", "a", "audit"},
	}
	return slices.DeleteFunc(all, func(e entry) bool { return s.May != nil && !s.May(e.permit) })
}
