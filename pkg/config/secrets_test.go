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

// No way to print a configuration shows a secret.
func TestSecretsStayHidden(t *testing.T) {
	env := map[string]string{"STATE_DIR": "secret-store-password"}
	for k, v := range exampleEnv {
		env[k] = v
	}
	for _, path := range []string{"../../examples/tocsin.yaml", "../../examples/full.yaml"} {
		c, _, err := config.Load(path, lookupIn(env))
		if err != nil {
			t.Fatal(err)
		}
		var shown strings.Builder
		for _, v := range reachable(reflect.ValueOf(c)) {
			// Not %s: of a pointer in a struct it is a mistake, which vet reports and
			// fmt answers by printing what is there without asking its methods.
			fmt.Fprintf(&shown, "%v %+v %#v\n", v, v, v)
		}
		y, err := yaml.Dump(c)
		if err != nil {
			t.Fatal(err)
		}
		j, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		shown.Write(y)
		shown.Write(j)
		slog.New(slog.NewTextHandler(&shown, nil)).Info("config", "config", c, "value", *c, "receivers", c.Receivers)
		slog.New(slog.NewJSONHandler(&shown, nil)).Info("config", "config", c, "value", *c, "receivers", c.Receivers)
		for name, secret := range env {
			if !strings.HasPrefix(secret, "secret-") {
				continue // an identifier
			}
			if strings.Contains(shown.String(), secret) {
				t.Errorf("%s shows %s", path, name)
			}
		}
		if n := strings.Count(string(y), "<secret>"); n < 5 {
			t.Errorf("%s: the dump shows %d masked secrets, want some:\n%s", path, n, y)
		}
	}
}

// reachable returns what a pointer leads to, and every struct below it: fmt
// prints pointers within a struct as addresses.
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
