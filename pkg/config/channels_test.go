package config_test

import (
	"reflect"
	"testing"

	"tocsin/pkg/config"
)

// The table is complete: Integrations returns an entry of every field, whose key is
// derived from the kind as errors and metrics derive it.
func TestChannels(t *testing.T) {
	var r config.Receiver
	table := reflect.ValueOf(&r.Channels).Elem()
	for field, entries := range table.Fields() {
		t.Run(field.Name, func(t *testing.T) {
			if _, ok := reflect.New(entries.Type().Elem()).Interface().(config.Channel); !ok {
				t.Fatalf("*%s does not implement config.Channel", entries.Type().Elem())
			}
			entries.Set(reflect.MakeSlice(entries.Type(), 2, 2))
		})
	}
	got := r.Integrations()
	if want := 2 * table.NumField(); len(got) != want {
		t.Fatalf("got %d integrations, want %d", len(got), want)
	}
	for i, integration := range got {
		field := table.Type().Field(i / 2)
		if key := integration.Kind().Name + "_configs"; field.Tag.Get("yaml") != key+",omitempty" || integration.Index != i%2 {
			t.Errorf("got key %s and index %d, want those of field %s, %d", key, integration.Index, field.Name, i%2)
		}
	}
}
