package sagapage

import (
	_ "embed"

	"github.com/skaldhq/skald/api/dashboard/assets"
)

//go:embed files/sagapage.css
var styles []byte

//go:embed files/sagapage.js
var script []byte

// Files are the assets of these pages.
func Files() []assets.File {
	return []assets.File{{Name: "sagapage.css", Body: styles}, {Name: "sagapage.js", Body: script}}
}
