package config

import (
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tocsin/pkg/config/strict"
	"tocsin/pkg/notify"
	"tocsin/pkg/render"
	"tocsin/pkg/setting"
)

// Problem is an error or a warning about the file; it prints as "file:line: key:
// message".
type Problem = strict.Problem

// Faults is the error of a file that cannot be used; it prints one fault per line, in the
// order of the file.
type Faults = strict.Faults

// Lookup returns an environment variable, such as os.LookupEnv.
type Lookup = strict.Lookup

// FileName is the default name of the configuration file.
const FileName = "tocsin.yaml"

// Find returns the path of the configuration: TOCSIN_CONFIG, or else tocsin.yaml in the
// directory of the binary or in the working directory. Its error lists these paths.
func Find(lookup Lookup) (string, error) {
	if path, _ := lookup("TOCSIN_CONFIG"); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("TOCSIN_CONFIG does not name a configuration: %w", err)
		}
		return path, nil
	}
	var paths []string
	if binary, err := os.Executable(); err == nil {
		paths = append(paths, filepath.Join(filepath.Dir(binary), FileName))
	}
	paths = append(paths, FileName)
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no configuration at %s; put one there, or set TOCSIN_CONFIG to its path", strings.Join(paths, ", nor at "))
}

// Load loads and validates the configuration file at path. ${NAME} is replaced by the
// value that lookup returns. The error is a Faults with everything that is wrong, unless
// the file cannot be read. Warnings are returned with and without an error.
func Load(path string, lookup Lookup) (*Config, []Problem, error) {
	data, err := strict.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	return Parse(path, data, lookup)
}

// Parse is Load for the content of the file.
func Parse(path string, data []byte, lookup Lookup) (*Config, []Problem, error) {
	c := defaults()
	warnings, err := file(path, lookup).Parse(data, c, c.validate)
	return c.finish(path, data, warnings, err)
}

// Check is Load and also builds every channel and executes every template on sample
// alerts, so that faults of templates are reported with their lines.
func Check(path string, lookup Lookup) (*Config, []Problem, error) {
	data, err := strict.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	c := defaults()
	warnings, err := file(path, lookup).Parse(data, c, func(f *setting.Faults) {
		c.validate(f)
		c.buildChannels(f, path)
	})
	return c.finish(path, data, warnings, err)
}

func file(path string, lookup Lookup) strict.File {
	return strict.File{Path: path, Lookup: lookup, ExplainKey: unsupportedUpstreamKey}
}

func (c *Config) validate(f *setting.Faults) {
	c.inherit()
	c.Validate(f)
}

// finish returns the result of loading c from data, the content of path.
func (c *Config) finish(path string, data []byte, warnings []Problem, err error) (*Config, []Problem, error) {
	if err != nil {
		return nil, warnings, err
	}
	c.Hash = hash(data)
	c.Templates = resolveTemplates(path, c.Templates)
	return c, warnings, nil
}

// hash returns the hash of a file that Alertmanager exports: the first 48 bits of its
// MD5, which a float64 holds exactly.
func hash(data []byte) float64 {
	sum := md5.Sum(data)
	return float64(binary.LittleEndian.Uint64(append(sum[:6:6], 0, 0)))
}

// resolveTemplates makes relative patterns relative to the configuration's directory.
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

// buildChannels builds the channels that have no faults, and discards them. Their
// templates are executed on samples.
func (c *Config) buildChannels(f *setting.Faults, path string) {
	templates, err := render.ParseTemplates(resolveTemplates(path, c.Templates)...)
	if err != nil {
		f.Addf("templates", "%s", strings.TrimPrefix(err.Error(), "templates: "))
		return
	}
	style := c.Global.Style()
	templates = templates.WithSamples(&style)
	if c.Route != nil {
		c.Route.ValidateTemplates(f.In("route"), templates)
	}
	env := &notify.Env{
		HTTP: http.DefaultClient, // nothing is sent
		Now:  time.Now, Style: style,
	}
	for i := range c.Receivers {
		for _, integration := range c.Receivers[i].Integrations() {
			var faults setting.Faults
			if integration.Validate(&faults); hasError(faults.List()) {
				continue
			}
			own := templates
			if !integration.SendsResolved(integration.Kind()) {
				own = templates.FiringOnly()
			}
			if _, err := integration.New(env, own); err != nil {
				addFaults(integration.in(f.In("receivers", i)), err)
			}
		}
	}
}

// addFaults adds the errors that Channel.New returned.
func addFaults(f *setting.Faults, err error) {
	var byKey *render.KeyError
	switch joined, ok := err.(interface{ Unwrap() []error }); {
	case ok:
		for _, err := range joined.Unwrap() {
			addFaults(f, err)
		}
	case errors.As(err, &byKey):
		f.In(byKey.Path...).Addf("", "%v", byKey.Err)
	default:
		key, message := splitKey(err.Error())
		f.Addf(key, "%s", message)
	}
}

// splitKey splits a message of the form "key: message".
func splitKey(message string) (key, rest string) {
	key, rest, ok := strings.Cut(message, ": ")
	if !ok || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "", message
	}
	return key, rest
}

// hasError reports whether one of the faults is not a warning.
func hasError(list []setting.Fault) bool {
	for _, f := range list {
		if !f.Warning {
			return true
		}
	}
	return false
}
