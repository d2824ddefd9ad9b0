package strict

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxExpanded bounds the total length of all expanded ${NAME} of a file, in bytes.
const maxExpanded = 4 * MaxSize

// expand replaces ${NAME} in the values below n. It works on parsed values, so that a
// variable can never add YAML structure. Errors are reported when the decoder reaches
// the value and knows its path.
func (d *decoder) expand(n *yaml.Node) {
	d.nodes++
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			continue // a key
		}
		d.expand(c)
	}
	if n.Kind != yaml.ScalarNode || !strings.Contains(n.Value, "${") {
		return
	}
	written := n.Value
	value, errs := expandText(written, d.file.Lookup)
	if d.expanded += len(value); d.expanded > maxExpanded {
		errs = []string{fmt.Sprintf("the variables of this file expand to more than %d bytes", maxExpanded)}
	}
	d.original[n] = written
	if errs != nil {
		d.expandErrors[n] = errs
		return
	}
	// Always text: a password of ~ is not null.
	n.Value, n.Tag = value, "!!str"
}

// expandText replaces ${NAME} and ${NAME:-default}. $${ becomes ${, and every other $ is
// kept. As in a shell, a variable that is set but empty takes the default. errs are the
// messages for what cannot be replaced.
func expandText(s string, lookup Lookup) (value string, errs []string) {
	var out strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			out.WriteString(s)
			return out.String(), errs
		}
		out.WriteString(s[:i])
		s = s[i:]
		if rest, ok := strings.CutPrefix(s, "$${"); ok {
			out.WriteString("${")
			s = rest
			continue
		}
		name, fallback, hasFallback, length := parseVariable(s)
		if length == 0 {
			out.WriteByte('$')
			s = s[1:]
			continue
		}
		s = s[length:]
		value, ok := lookup(name)
		switch {
		case strings.Contains(fallback, "${"):
			errs = append(errs, "a default cannot contain another ${…}")
		case value == "" && hasFallback:
			out.WriteString(fallback)
		case !ok:
			errs = append(errs, fmt.Sprintf("the environment variable %s is not set; set it, or write ${%s:-default}", name, name))
		default:
			out.WriteString(value)
		}
	}
}

// parseVariable parses a ${NAME} or ${NAME:-default} at the beginning of s. length is 0
// if there is none.
func parseVariable(s string) (name, fallback string, hasFallback bool, length int) {
	body, ok := strings.CutPrefix(s, "${")
	if !ok {
		return "", "", false, 0
	}
	body, _, ok = strings.Cut(body, "}")
	if !ok {
		return "", "", false, 0
	}
	name, fallback, hasFallback = strings.Cut(body, ":-")
	if name == "" || '0' <= name[0] && name[0] <= '9' || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return "", "", false, 0
	}
	return name, fallback, hasFallback, len("${}") + len(body)
}
