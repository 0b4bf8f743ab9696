package ui

import "time"

// iconPath is the outline of an icon; unknown names are a dot. Forward and back are the two marks by which the two paths of a saga are
// told apart everywhere.
func iconPath(name string) string {
	switch name {
	case "forward":
		return "M1.5 6h8.5M6.5 2.5 10 6 6.5 9.5"
	case "back", "undone":
		return "M4.5 1.5 1.5 4.5l3 3M2 4.5h5a3 3 0 0 1 0 6H4.5"
	case "check":
		return "M1.8 6.5 4.8 9.5 10.2 2.8"
	case "cross":
		return "M2.5 2.5l7 7M9.5 2.5l-7 7"
	case "alarm":
		return "M6 1v6M6 9.2v1.6"
	case "clock":
		return "M6 1.2a4.8 4.8 0 1 0 .01 0M6 3.4V6l2 1.4"
	case "pause":
		return "M4 2v8M8 2v8"
	case "skip":
		return "M2 2.5 6 6 2 9.5M6.5 2.5l4 3.5-4 3.5"
	case "stop":
		return "M6 1.2a4.8 4.8 0 1 0 .01 0M2.8 9.2l6.4-6.4"
	case "question":
		return "M3.8 4a2.2 2.2 0 1 1 3 2c-.6.3-.8.7-.8 1.3M6 9.6v1.2"
	case "queue":
		return "M1.5 3h9M1.5 6h9M1.5 9h5"
	case "copy":
		return "M4 4h6.5v6.5H4zM2 8H1.5V1.5H8V2"
	case "search":
		return "M5 1.5a3.5 3.5 0 1 0 .01 0M7.7 7.7l3 3"
	case "theme":
		return "M6 1.2a4.8 4.8 0 1 0 .01 0M6 1.2v9.6M7.5 2v8M9 3v6"
	}
	return "M6 4.8a1.2 1.2 0 1 0 .01 0"
}

func exact(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05.000 UTC") }
