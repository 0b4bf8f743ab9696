package dashboard

// diffLine is a line of a comparison: in both texts, only in the old one, only in the new one, or a fold of lines that are the same.
type diffLine struct {
	sign string // " ", "-", "+", or "…"
	text string
}

const (
	diffMax     = 4000 // lines of a text that are compared; a definition has far fewer
	diffContext = 3    // lines that are the same, shown around those that are not
)

// diffLines compares two texts by their longest common subsequence.
func diffLines(old, fresh []string) []diffLine {
	old, fresh = old[:min(len(old), diffMax)], fresh[:min(len(fresh), diffMax)]
	width := len(fresh) + 1
	common := make([]uint16, (len(old)+1)*width)
	for i := len(old) - 1; i >= 0; i-- {
		for j := len(fresh) - 1; j >= 0; j-- {
			if old[i] == fresh[j] {
				common[i*width+j] = common[(i+1)*width+j+1] + 1
			} else {
				common[i*width+j] = max(common[(i+1)*width+j], common[i*width+j+1])
			}
		}
	}
	var out []diffLine
	i, j := 0, 0
	for i < len(old) || j < len(fresh) {
		switch {
		case i < len(old) && j < len(fresh) && old[i] == fresh[j]:
			out = append(out, diffLine{" ", old[i]})
			i, j = i+1, j+1
		case j == len(fresh) || i < len(old) && common[(i+1)*width+j] >= common[i*width+j+1]:
			out = append(out, diffLine{"-", old[i]})
			i++
		default:
			out = append(out, diffLine{"+", fresh[j]})
			j++
		}
	}
	return fold(out)
}

// fold leaves out lines that are the same and far from any that is not.
func fold(lines []diffLine) []diffLine {
	near := make([]bool, len(lines))
	for i, l := range lines {
		if l.sign == " " {
			continue
		}
		for k := max(0, i-diffContext); k <= min(len(lines)-1, i+diffContext); k++ {
			near[k] = true
		}
	}
	var out []diffLine
	for i, l := range lines {
		switch {
		case near[i]:
			out = append(out, l)
		case i == 0 || near[i-1]:
			out = append(out, diffLine{sign: "…"})
		}
	}
	return out
}
