package intake_test

import (
	"encoding/json"
	"slices"
	"testing"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/intake"
)

// TestZabbixMediaType checks that a message of unresolved macros is rejected, and that
// the decoder knows every parameter of the media type or makes it an annotation.
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
		if p.Name != "url" && p.Name != "token" { // the script does not send them
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
		t.Errorf("unresolved macros: got %v, want an error", out.Alerts[0])
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
			t.Errorf("got the annotation %s, want it among the known fields", name)
		}
	}
	if got, want := out.Alerts[0].Labels.Names(), []string{"a", "alertname", "event_id", "host", "severity", "trigger_id"}; !slices.Equal(got, want) {
		t.Errorf("labels: got %q, want %q", got, want)
	}
}
