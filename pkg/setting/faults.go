package setting

import "fmt"

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	// Path leads from the top of the document to the value: keys are strings,
	// places in lists are ints.
	Path []any
	// Message says what is wrong and what is allowed, without the place.
	Message string
	// Warning tells that the configuration can be used all the same.
	Warning bool
}

// Faults collects faults. A room that validates its part adds to the Faults it
// is given and never stops at the first. The zero value is an empty list at the
// top of a document.
type Faults struct {
	list *[]Fault
	at   []any
}

// In returns a view of the same list whose faults lie below the given path.
func (f *Faults) In(path ...any) *Faults {
	if f.list == nil {
		f.list = new([]Fault)
	}
	return &Faults{list: f.list, at: append(f.at[:len(f.at):len(f.at)], path...)}
}

// Addf adds a fault of a key at this place; with key "" the fault is of the
// place itself.
func (f *Faults) Addf(key, format string, args ...any) { f.add(key, false, format, args) }

// Warnf adds a warning.
func (f *Faults) Warnf(key, format string, args ...any) { f.add(key, true, format, args) }

func (f *Faults) add(key string, warning bool, format string, args []any) {
	at := f.In()
	if key != "" {
		at = f.In(key)
	}
	*f.list = append(*f.list, Fault{Path: at.at, Message: fmt.Sprintf(format, args...), Warning: warning})
}

// List returns what was collected, in the order in which it was added.
func (f *Faults) List() []Fault {
	if f.list == nil {
		return nil
	}
	return *f.list
}
