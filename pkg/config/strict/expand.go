package strict

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxExpanded bounds what all ${NAME} of a file may come to, in bytes.
const maxExpanded = 4 * MaxSize

// expand replaces ${NAME} in the values below n. It works on values that the
// YAML parser has already found, so that a variable can never add structure.
// What is wrong is kept until the decoder comes by and knows the key.
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
	value, wrong := expandText(written, d.file.Lookup)
	if d.expanded += len(value); d.expanded > maxExpanded {
		wrong = []string{fmt.Sprintf("the variables of this file come to more than %d bytes", maxExpanded)}
	}
	d.written[n] = written
	if wrong != nil {
		d.unset[n] = wrong
		return
	}
	// Text, whatever it looks like: a password of ~ is no null.
	n.Value, n.Tag = value, "!!str"
}

// expandText replaces ${NAME} and ${NAME:-default}; $${ stands for ${, and
// every other $ for itself. A variable that is set but empty takes the default,
// as in a shell. wrong says which variables are missing.
func expandText(s string, lookup Lookup) (value string, wrong []string) {
	var out strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			out.WriteString(s)
			return out.String(), wrong
		}
		out.WriteString(s[:i])
		s = s[i:]
		if rest, ok := strings.CutPrefix(s, "$${"); ok {
			out.WriteString("${")
			s = rest
			continue
		}
		name, fallback, hasFallback, length := variable(s)
		if length == 0 {
			out.WriteByte('$')
			s = s[1:]
			continue
		}
		s = s[length:]
		value, ok := lookup(name)
		switch {
		case strings.Contains(fallback, "${"):
			wrong = append(wrong, "a default cannot hold another ${…}")
		case value == "" && hasFallback:
			out.WriteString(fallback)
		case !ok:
			wrong = append(wrong, fmt.Sprintf("the environment variable %s is not set; set it, or write ${%s:-default}", name, name))
		default:
			out.WriteString(value)
		}
	}
}

// variable reads a ${NAME} or ${NAME:-default} at the beginning of s and
// returns its length, 0 when there is none.
func variable(s string) (name, fallback string, hasFallback bool, length int) {
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
