// Package deploy checks the deployment files against the rules of the platforms,
// without the platforms: it finds values that their tools refuse, and values that
// they accept and that do not work.
package deploy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// checker walks one file and collects its faults.
type checker struct {
	faults []string
	// resolve returns the node to check instead of n, such as the default of a
	// parameter instead of a reference to it. Nil leaves nodes as they are.
	resolve func(n *yaml.Node) *yaml.Node
}

func (c *checker) faultf(n *yaml.Node, format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf("line %d: %s", n.Line, fmt.Sprintf(format, args...)))
}

// A rule checks a node.
type rule func(c *checker, n *yaml.Node)

// check applies r to a document.
func (c *checker) check(data []byte, r rule) {
	var doc yaml.Node
	if err := yaml.Load(data, &doc); err != nil {
		c.faults = append(c.faults, err.Error())
		return
	}
	c.apply(r, doc.Content[0])
}

func (c *checker) apply(r rule, n *yaml.Node) {
	if c.resolve != nil {
		n = c.resolve(n)
	}
	r(c, n)
}

// fields returns the keys and values of a mapping.
func (c *checker) fields(n *yaml.Node) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode {
		c.faultf(n, "must be a mapping")
		return nil
	}
	out := map[string]*yaml.Node{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		if out[key.Value] != nil {
			c.faultf(key, "%s is set twice", key.Value)
		}
		out[key.Value] = n.Content[i+1]
	}
	return out
}

// keys accepts a mapping with no other keys than these. A key that ends in an
// exclamation mark is required.
func keys(rules map[string]rule) rule {
	return func(c *checker, n *yaml.Node) {
		given := c.fields(n)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			r := rules[key.Value]
			if r == nil {
				r = rules[key.Value+"!"]
			}
			if r == nil {
				c.faultf(key, "unknown key %s", key.Value)
				continue
			}
			c.apply(r, n.Content[i+1])
		}
		for key := range rules {
			if name, must := strings.CutSuffix(key, "!"); must && given != nil && given[name] == nil {
				c.faultf(n, "%s is missing", name)
			}
		}
	}
}

// each accepts a mapping whose keys match key and whose values satisfy r.
func each(key string, r rule) rule {
	re := regexp.MustCompile("^(?:" + key + ")$")
	return func(c *checker, n *yaml.Node) {
		for name, value := range c.fields(n) {
			if !re.MatchString(name) {
				c.faultf(value, "%s is not an allowed name", name)
			}
			c.apply(r, value)
		}
	}
}

// list accepts a sequence whose items satisfy r.
func list(r rule) rule {
	return func(c *checker, n *yaml.Node) {
		if n.Kind != yaml.SequenceNode {
			c.faultf(n, "must be a list")
			return
		}
		for _, item := range n.Content {
			c.apply(r, item)
		}
	}
}

// text accepts a string that matches pattern.
func text(pattern string) rule {
	re := regexp.MustCompile("^(?s:" + pattern + ")$")
	return func(c *checker, n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
			c.faultf(n, "must be a string")
		} else if !re.MatchString(n.Value) {
			c.faultf(n, "%q is not allowed here", n.Value)
		}
	}
}

// oneOf accepts one of the values.
func oneOf(values ...string) rule {
	return func(c *checker, n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || !slices.Contains(values, n.Value) {
			c.faultf(n, "%q is not one of %s", n.Value, strings.Join(values, ", "))
		}
	}
}

// integer accepts a whole number from low to high.
func integer(low, high int) rule {
	return func(c *checker, n *yaml.Node) {
		i, err := strconv.Atoi(n.Value)
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil || i < low || i > high {
			c.faultf(n, "%q is not a whole number from %d to %d", n.Value, low, high)
		}
	}
}

// boolean accepts true or false.
func boolean(c *checker, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		c.faultf(n, "must be true or false")
	}
}

// scalar accepts any string, number or boolean.
func scalar(c *checker, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode {
		c.faultf(n, "must be a string")
	}
}

// valid accepts a string for which f returns nil.
func valid(f func(string) error) rule {
	return func(c *checker, n *yaml.Node) {
		scalar(c, n)
		if err := f(n.Value); err != nil {
			c.faultf(n, "%v", err)
		}
	}
}

// both requires two rules.
func both(a, b rule) rule {
	return func(c *checker, n *yaml.Node) {
		a(c, n)
		b(c, n)
	}
}

// environment accepts environment variables whose names the platform does not
// reserve, with at most 4 KB in all, the limit of both clouds.
func environment(reserved string) rule {
	re := regexp.MustCompile("^(?:" + reserved + ")")
	return both(each("[A-Za-z][A-Za-z0-9_]*", scalar), func(c *checker, n *yaml.Node) {
		size := 0
		for name, value := range c.fields(n) {
			if re.MatchString(name) {
				c.faultf(value, "%s: the platform reserves such names", name)
			}
			size += len(name) + len(value.Value)
		}
		if size > 4096 {
			c.faultf(n, "the environment has %d bytes: 4096 are allowed", size)
		}
	})
}
