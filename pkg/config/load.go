package config

import (
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"tocsin/pkg/config/strict"
	"tocsin/pkg/notify"
	"tocsin/pkg/render"
	"tocsin/pkg/setting"
)

// Problem is a fault or a warning; it prints as file:line: key: message.
type Problem = strict.Problem

// Faults is the error of a file that cannot be used; it prints one fault on each
// line, in the order of the file.
type Faults = strict.Faults

// Lookup finds an environment variable: os.LookupEnv.
type Lookup = strict.Lookup

// Load reads and validates the configuration in the file at path. ${NAME} is
// replaced by what lookup finds. An error is a Faults, with everything that is
// wrong, or says that the file cannot be read. Warnings come with and without
// an error.
func Load(path string, lookup Lookup) (*Config, []Problem, error) {
	c := defaults()
	warnings, err := file(path, lookup).Load(c, c.validate)
	return c.loaded(path, warnings, err)
}

// Parse is Load for a file whose content is at hand.
func Parse(path string, data []byte, lookup Lookup) (*Config, []Problem, error) {
	c := defaults()
	warnings, err := file(path, lookup).Parse(data, c, c.validate)
	return c.loaded(path, warnings, err)
}

// Check is Load that builds every channel too, as is done before the first
// alert, so that faults of templates are found and have their lines.
func Check(path string, lookup Lookup) (*Config, []Problem, error) {
	c := defaults()
	warnings, err := file(path, lookup).Load(c, func(f *setting.Faults) {
		c.validate(f)
		c.build(f, path)
	})
	return c.loaded(path, warnings, err)
}

func file(path string, lookup Lookup) strict.File {
	return strict.File{Path: path, Lookup: lookup, ExplainKey: unsupportedUpstreamKey}
}

func (c *Config) validate(f *setting.Faults) {
	c.inherit()
	c.Validate(f)
}

func (c *Config) loaded(path string, warnings []Problem, err error) (*Config, []Problem, error) {
	if err != nil {
		return nil, warnings, err
	}
	c.Templates = resolveTemplates(path, c.Templates)
	return c, warnings, nil
}

// resolveTemplates makes relative patterns relative to the configuration's folder.
func resolveTemplates(path string, globs []string) []string {
	var out []string
	for _, glob := range globs {
		if !filepath.IsAbs(glob) {
			glob = filepath.Join(filepath.Dir(path), glob)
		}
		out = append(out, glob)
	}
	return out
}

// build builds the channels that are otherwise right, and drops them.
func (c *Config) build(f *setting.Faults, path string) {
	templates, err := render.ParseTemplates(resolveTemplates(path, c.Templates)...)
	if err != nil {
		f.Addf("templates", "%s", strings.TrimPrefix(err.Error(), "templates: "))
		return
	}
	if c.Route != nil {
		c.Route.ValidateTemplates(f.In("route"), templates)
	}
	env := &notify.Env{
		HTTP: http.DefaultClient, // nothing is sent
		Now:  time.Now, Style: c.Global.Style(),
	}
	for i := range c.Receivers {
		for _, integration := range c.Receivers[i].Integrations() {
			var own setting.Faults
			if integration.Validate(&own); hasFault(own.List()) {
				continue
			}
			if _, err := integration.New(env, templates); err != nil {
				key, message := keyOf(err.Error())
				integration.in(f.In("receivers", i)).Addf(key, "%s", message)
			}
		}
	}
}

// keyOf parts a message that begins with a key from it.
func keyOf(message string) (key, rest string) {
	key, rest, ok := strings.Cut(message, ": ")
	if !ok || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "", message
	}
	return key, rest
}

func hasFault(list []setting.Fault) bool {
	for _, f := range list {
		if !f.Warning {
			return true
		}
	}
	return false
}
