// Command pack makes the pictures of the dashboard's documentation small: go run ./test/browser/pack FROM TO reads the PNG files of
// one folder and writes them to another, no wider and no taller than a page of text wants them, with few colours.
package main

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

const (
	maxWidth  = 900
	maxHeight = 900
	colours   = 64
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: pack FROM TO")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	files, err := filepath.Glob(filepath.Join(from, "*.png"))
	if err != nil {
		return fmt.Errorf("list pictures: %w", err)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	for _, file := range files {
		if err := pack(file, filepath.Join(to, filepath.Base(file))); err != nil {
			return fmt.Errorf("pack %s: %w", file, err)
		}
	}
	return nil
}

func pack(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	picture, err := png.Decode(in)
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(out, few(shrink(picture))); err != nil {
		return err
	}
	return out.Close()
}

// shrink makes a picture as narrow as maxWidth, each pixel the mean of those that it stands for, and cuts it off at maxHeight.
func shrink(picture image.Image) *image.RGBA {
	b := picture.Bounds()
	whole := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(whole, whole.Bounds(), picture, b.Min, draw.Src)
	scale := max(1, float64(b.Dx())/maxWidth)
	out := image.NewRGBA(image.Rect(0, 0, int(float64(b.Dx())/scale), min(maxHeight, int(float64(b.Dy())/scale))))
	for y := range out.Bounds().Dy() {
		for x := range out.Bounds().Dx() {
			out.SetRGBA(x, y, mean(whole, float64(x)*scale, float64(y)*scale, scale))
		}
	}
	return out
}

// mean is the colour of a square, each pixel counted as far as it lies in it.
func mean(picture *image.RGBA, left, top, side float64) color.RGBA {
	var r, g, b, total float64
	for y := int(top); float64(y) < top+side && y < picture.Bounds().Dy(); y++ {
		high := min(float64(y+1), top+side) - max(float64(y), top)
		for x := int(left); float64(x) < left+side && x < picture.Bounds().Dx(); x++ {
			weight := high * (min(float64(x+1), left+side) - max(float64(x), left))
			c := picture.RGBAAt(x, y)
			r, g, b, total = r+weight*float64(c.R), g+weight*float64(c.G), b+weight*float64(c.B), total+weight
		}
	}
	return color.RGBA{uint8(r/total + .5), uint8(g/total + .5), uint8(b/total + .5), 255}
}

// few draws a picture with the colours that it has most of, no two of them alike.
func few(picture *image.RGBA) *image.Paletted {
	count := map[color.RGBA]int{}
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			count[picture.RGBAAt(x, y)]++
		}
	}
	byCount := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(count[b]*vivid(b), count[a]*vivid(a)), cmp.Compare(a.R, b.R), cmp.Compare(a.G, b.G), cmp.Compare(a.B, b.B))
	})
	var palette color.Palette
	for _, c := range byCount {
		if len(palette) == colours {
			break
		}
		if !slices.ContainsFunc(palette, func(p color.Color) bool { return alike(p.(color.RGBA), c) }) {
			palette = append(palette, c)
		}
	}
	out := image.NewPaletted(picture.Bounds(), palette)
	nearest := make(map[color.RGBA]uint8, len(count))
	for c := range count {
		nearest[c] = uint8(palette.Index(c))
	}
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			out.SetColorIndex(x, y, nearest[picture.RGBAAt(x, y)])
		}
	}
	return out
}

// vivid weighs a colour: there are many greys, and the few marks must keep theirs.
func vivid(c color.RGBA) int {
	return 1 + int(max(c.R, c.G, c.B)-min(c.R, c.G, c.B))/8
}

// alike reports whether nobody would tell two colours apart.
func alike(a, b color.RGBA) bool {
	near := func(x, y uint8) bool { return max(x, y)-min(x, y) < 10 }
	return near(a.R, b.R) && near(a.G, b.G) && near(a.B, b.B)
}
