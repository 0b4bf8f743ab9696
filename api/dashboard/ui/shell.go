package ui

// Shell is what all pages of one request share.
type Shell struct {
	Asset   func(name string) string // the URL of an asset, with its hash
	Version string                   // of the program
	Name    string                   // of who looks
	Tenant  string
	Alarms  int64 // sagas that need a person; shown beside the name of the overview. Negative: not known
}

// Page is the head of one page.
type Page struct {
	Shell   *Shell
	Title   string   // plain text, as it stands in the tab
	Section Section  // the entry of the navigation that it belongs to
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
}

func entries() []entry {
	return []entry{
		{Overview, "Overview", "/", "o"},
		{Sagas, "Sagas", "/sagas", "s"},
		{Definitions, "Definitions", "/definitions", "d"},
		{Participants, "Participants", "/participants", "p"},
		{Quarantine, "Quarantine", "/quarantine", "q"},
		{Operations, "Operations", "/operations", "b"},
		{Holds, "Holds", "/holds", "h"},
		{Audit, "Audit", "/audit", "a"},
	}
}
