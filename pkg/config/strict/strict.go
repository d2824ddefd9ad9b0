// Package strict decodes a YAML file into a struct and reports everything that is wrong
// with it at once, each problem with its line and the path of the key: unknown keys,
// values of the wrong type, unset variables, and the faults that a Validate function
// finds. It is independent of what the file configures.
//
// It also replaces ${NAME} in values and reads secrets from files named by _file keys.
//
// # Why not the YAML library's strict mode
//
// For a file with six mistakes, go.yaml.in/yaml/v4 v4.0.0 with WithKnownFields reports
// five, with lines but in Go's terms and without paths:
//
//	line 1: cannot construct !!str `many` into int
//	line 6: field max_lagg not found in type struct { Name string "yaml:\"name\""; … }
//
// where this package reports
//
//	tocsin.yaml:1: port: must be a whole number, not "many"
//	tocsin.yaml:6: items[0].max_lagg: unknown key; did you mean max_lag?
//
// With the library, variables would have to be replaced before parsing, so that their
// values could change the structure and would be quoted in errors, where they may be
// secrets; and a fault found by Validate, such as a missing key, would have no line. The
// price is 850 lines of code and 86 KB of binary (6.28 MB instead of 6.20 MB).
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

// MaxSize is the maximum size of a file, in bytes.
const MaxSize = 1 << 20

// Lookup returns an environment variable, such as os.LookupEnv.
type Lookup func(name string) (value string, ok bool)

// File is a file to load.
type File struct {
	// Path is the path of the file. Paths in _file keys are relative to its directory.
	Path string
	// Lookup returns the values of ${NAME}.
	Lookup Lookup
	// ExplainKey returns the error text for a key that the struct does not have,
	// "" for the usual text of an unknown key. It may be nil.
	ExplainKey func(in reflect.Type, key string) string
}

// ReadFile reads a file of at most MaxSize bytes.
func ReadFile(path string) ([]byte, error) { return readBounded(path, MaxSize) }

// Parse decodes data, the content of the file, into the struct that v points to, and
// calls validate, also after errors of decoding: it must accept that any value is
// missing. The error is a Faults. After an error v must not be used.
func (f File) Parse(data []byte, v any, validate func(*setting.Faults)) (warnings []Problem, err error) {
	problems := f.problems(data, v, validate)
	last := 1 + bytes.Count(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	for i, p := range problems {
		// An unexpected end of the file is reported after the last line.
		problems[i].File, problems[i].Line = f.Path, max(1, min(p.Line, last))
	}
	return sortProblems(problems)
}

// problems decodes and validates data and returns all problems, without the file's path.
func (f File) problems(data []byte, v any, validate func(*setting.Faults)) []Problem {
	root, problem := parse(data)
	if problem != nil {
		return []Problem{*problem}
	}
	d := decoder{
		file:  f,
		lines: map[string]int{}, failed: map[string]bool{}, fields: map[reflect.Type][]field{},
		original: map[*yaml.Node]string{}, expandErrors: map[*yaml.Node][]string{},
	}
	d.expand(root)
	d.decodeValue(root, reflect.ValueOf(v).Elem(), position{line: root.Line})
	if d.exceeded {
		return d.problems
	}
	var faults setting.Faults
	validate(&faults)
	for _, fault := range faults.List() {
		d.addFault(fault)
	}
	return d.problems
}

// parse parses data, which must be one document with a mapping at its top.
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

// readBounded reads a regular file of at most limit bytes.
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
