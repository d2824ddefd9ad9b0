package config_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/config"
)

// TestSecretsAreMasked prints, encodes and logs configurations in every way.
func TestSecretsAreMasked(t *testing.T) {
	env := map[string]string{"STATE_DIR": "secret-store-password"}
	for k, v := range exampleEnv {
		env[k] = v
	}
	for _, path := range []string{"../../examples/tocsin.yaml", "../../examples/full.yaml"} {
		c, _, err := config.Load(path, lookupIn(env))
		if err != nil {
			t.Fatal(err)
		}
		var output strings.Builder
		for _, v := range reachable(reflect.ValueOf(c)) {
			// Not %s: for a pointer in a struct it is an error that vet reports, and
			// fmt then prints the value without calling its methods.
			fmt.Fprintf(&output, "%v %+v %#v\n", v, v, v)
		}
		y, err := yaml.Dump(c)
		if err != nil {
			t.Fatal(err)
		}
		j, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		output.Write(y)
		output.Write(j)
		slog.New(slog.NewTextHandler(&output, nil)).Info("config", "config", c, "value", *c, "receivers", c.Receivers)
		slog.New(slog.NewJSONHandler(&output, nil)).Info("config", "config", c, "value", *c, "receivers", c.Receivers)
		for name, secret := range env {
			if !strings.HasPrefix(secret, "secret-") {
				continue // not a secret
			}
			if strings.Contains(output.String(), secret) {
				t.Errorf("%s: got the value of %s in the output, want it masked", path, name)
			}
		}
		if n := strings.Count(string(y), "<secret>"); n < 5 {
			t.Errorf("%s: got %d masked secrets in the dump, want at least 5:\n%s", path, n, y)
		}
	}
}

// reachable returns the values that v leads to: fmt prints pointers within a struct as
// addresses only.
func reachable(v reflect.Value) []any {
	var all []any
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return append(reachable(v.Elem()), v.Interface())
		}
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, reachable(v.Index(i))...)
		}
	case reflect.Struct:
		all = append(all, v.Interface())
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				all = append(all, reachable(v.Field(i))...)
			}
		}
	}
	return all
}
