// Package strict reads a YAML file into a struct and finds everything that is
// wrong with it in one go, each thing with its line: keys that do not exist,
// values of the wrong type, variables that are not set, and what a validation
// says. It knows nothing of what the file configures.
package strict

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/setting"
)

// MaxSize is how large a file may be, in bytes.
const MaxSize = 1 << 20

// Lookup finds an environment variable: os.LookupEnv.
type Lookup func(name string) (value string, ok bool)

// File is a file to read.
type File struct {
	// Path is where the file is; problems name it, and the files that _file keys
	// name are relative to its folder.
	Path string
	// Lookup replaces ${NAME}.
	Lookup Lookup
	// ExplainKey returns the error text for a key that the struct does not have,
	// "" for the usual text of an unknown key. It may be nil.
	ExplainKey func(in reflect.Type, key string) string
}

// Load reads the file into the struct that v points to, and has it validated.
// validate must bear that anything is missing: it is called even when something
// is wrong already. The error is a Faults, unless the file itself cannot be
// read. After an error v is of no use.
func (f File) Load(v any, validate func(*setting.Faults)) (warnings []Problem, err error) {
	data, err := readBounded(f.Path, MaxSize)
	if err != nil {
		return nil, err
	}
	return f.Parse(data, v, validate)
}

// Parse is Load for a file whose content is at hand.
func (f File) Parse(data []byte, v any, validate func(*setting.Faults)) (warnings []Problem, err error) {
	problems := f.problems(data, v, validate)
	last := 1 + bytes.Count(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	for i, p := range problems {
		// An end that comes too early is found behind the last line.
		problems[i].File, problems[i].Line = f.Path, max(1, min(p.Line, last))
	}
	return split(problems)
}

func (f File) problems(data []byte, v any, validate func(*setting.Faults)) []Problem {
	root, problem := parse(data)
	if problem != nil {
		return []Problem{*problem}
	}
	d := decoder{
		file:  f,
		lines: map[string]int{}, failed: map[string]bool{}, fields: map[reflect.Type][]field{},
		written: map[*yaml.Node]string{}, unset: map[*yaml.Node][]string{},
	}
	d.expand(root)
	d.value(root, reflect.ValueOf(v).Elem(), place{line: root.Line})
	if d.stopped {
		return d.problems
	}
	var faults setting.Faults
	validate(&faults)
	for _, fault := range faults.List() {
		d.judge(fault)
	}
	return d.problems
}

// parse reads the one mapping that data must be, and checks its bounds.
func parse(data []byte) (*yaml.Node, *Problem) {
	if len(data) > MaxSize {
		return nil, &Problem{Line: 1, Message: fmt.Sprintf("the file is larger than %d bytes", MaxSize)}
	}
	if p := checkText(data); p != nil {
		return nil, p
	}
	var docs []yaml.Node
	if err := yaml.Load(data, &docs, yaml.WithAllDocuments()); err != nil {
		return nil, syntaxProblem(data, err)
	}
	if len(docs) > 1 {
		return nil, &Problem{Line: docs[1].Line, Message: "a second document begins here: put everything into one, without a line ---"}
	}
	if len(docs) == 0 || len(docs[0].Content) == 0 || isNull(docs[0].Content[0]) {
		return nil, &Problem{Line: 1, Message: "the file is empty"}
	}
	root := docs[0].Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, &Problem{Line: root.Line, Message: `the file must be "key: value" at its top, not ` + kindName(root)}
	}
	return root, nil
}

// readBounded reads a regular file of up to limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return os.ReadFile(filepath.Clean(path))
}
