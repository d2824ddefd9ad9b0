package metrics

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ContentType is that of Prometheus's text format.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Text returns all metrics in Prometheus's text format, in order of names and
// label values.
func (r *Registry) Text() []byte {
	var b bytes.Buffer
	for _, f := range r.sorted() {
		f.write(&b)
	}
	return b.Bytes()
}

var (
	helpEscapes  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	valueEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

func (f *family) write(b *bytes.Buffer) {
	b.WriteString("# HELP " + f.name + " " + helpEscapes.Replace(f.help) + "\n# TYPE " + f.name + " " + f.kind + "\n")
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(f.series)) {
		s := f.series[key]
		if f.kind != "histogram" {
			f.line(b, "", s, "", s.value)
			continue
		}
		var count uint64
		for i, n := range s.counts {
			le := "+Inf"
			if i < len(f.bounds) {
				le = number(f.bounds[i])
			}
			count += n
			f.line(b, "_bucket", s, le, float64(count))
		}
		f.line(b, "_sum", s, "", s.value)
		f.line(b, "_count", s, "", float64(count))
	}
}

// line writes one sample; le is the bound of a bucket, "" for none.
func (f *family) line(b *bytes.Buffer, suffix string, s *series, le string, v float64) {
	b.WriteString(f.name + suffix)
	open := "{"
	label := func(name, value string) {
		b.WriteString(open + name + `="` + valueEscapes.Replace(value) + `"`)
		open = ","
	}
	for i, name := range f.labels {
		label(name, s.labels[i])
	}
	if le != "" {
		label("le", le)
	}
	if open == "," {
		b.WriteByte('}')
	}
	b.WriteString(" " + number(v) + "\n")
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
