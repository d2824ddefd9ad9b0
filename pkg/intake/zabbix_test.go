package intake_test

import (
	"encoding/json"
	"slices"
	"testing"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/intake"
)

// What the media type sends before a macro is resolved says nothing; and each of
// its parameters is one that the decoder reads, or worth an annotation.
func TestZabbixMediaType(t *testing.T) {
	var file struct {
		Export struct {
			MediaTypes []struct {
				Parameters []struct{ Name, Value string }
				Script     string
			} `yaml:"media_types"`
		} `yaml:"zabbix_export"`
	}
	if err := yaml.Unmarshal(read(t, "../../examples/zabbix/media-type.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	message := map[string]string{}
	for _, p := range file.Export.MediaTypes[0].Parameters {
		if p.Name != "url" && p.Name != "token" { // which the script keeps
			message[p.Name] = p.Value
		}
	}
	decode := func() (intake.Output, error) {
		body, err := json.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		return intake.Zabbix(intake.Input{Body: body, Media: intake.JSON, Now: now})
	}
	if out, err := decode(); err == nil {
		t.Errorf("macros were taken for values: %v", out.Alerts[0])
	}
	for name := range message {
		message[name] = "x-" + name
	}
	message["event_value"], message["event_tags"] = "1", `[{"tag":"a","value":"b"}]`
	message["event_timestamp"], message["event_recovery_timestamp"] = "1795183200", "0"
	out, err := decode()
	if err != nil {
		t.Fatal(err)
	}
	for name := range out.Alerts[0].Annotations {
		if !slices.Contains([]string{"summary", "description", "tos", "host_ip", "event_severity", "event_opdata", "event_update_action", "event_update_message"}, name) {
			t.Errorf("%s is an annotation", name)
		}
	}
	if got, want := out.Alerts[0].Labels.Names(), []string{"a", "alertname", "event_id", "host", "severity", "trigger_id"}; !slices.Equal(got, want) {
		t.Errorf("labels %q, want %q", got, want)
	}
}
