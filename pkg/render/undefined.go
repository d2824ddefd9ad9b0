package render

import (
	"errors"
	"fmt"
	"text/template/parse"
)

// undefined looks through a template and those that it refers to for a name
// that is defined nowhere; text/template itself finds that only when it runs.
func undefined(tree *parse.Tree, lookup func(string) *parse.Tree) error {
	seen := map[string]bool{}
	var walk func(parse.Node) error
	list := func(l *parse.ListNode) error {
		if l == nil {
			return nil
		}
		for _, node := range l.Nodes {
			if err := walk(node); err != nil {
				return err
			}
		}
		return nil
	}
	branch := func(b *parse.BranchNode) error { return errors.Join(list(b.List), list(b.ElseList)) }
	walk = func(node parse.Node) error {
		switch node := node.(type) {
		case *parse.IfNode:
			return branch(&node.BranchNode)
		case *parse.RangeNode:
			return branch(&node.BranchNode)
		case *parse.WithNode:
			return branch(&node.BranchNode)
		case *parse.TemplateNode:
			if seen[node.Name] {
				return nil
			}
			seen[node.Name] = true
			found := lookup(node.Name)
			if found == nil {
				return fmt.Errorf("template %q is not defined: check the name and the files under templates", node.Name)
			}
			return list(found.Root)
		}
		return nil
	}
	if tree == nil {
		return nil
	}
	return list(tree.Root)
}
