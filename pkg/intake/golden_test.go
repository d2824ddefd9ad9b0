package intake_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/intake"
)

// now is when every message is received; shanghai is the zone of local times.
var (
	now      = time.Date(2026, 11, 20, 14, 30, 0, 0, time.UTC)
	shanghai = time.FixedZone("CST", 8*60*60)
)

// newInput returns the message of a file. The extension decides its media type.
func newInput(path string, body []byte) intake.Input {
	in := intake.Input{Now: now, Zone: shanghai, Authenticated: true}
	text := strings.TrimSpace(string(body))
	switch filepath.Ext(path) {
	case ".form":
		in.Media, in.Body = intake.Form, []byte(text)
	case ".query":
		in.Query, _ = url.ParseQuery(text)
	default:
		in.Media, in.Body = intake.JSON, body
	}
	return in
}

// decoderFor returns the decoder of a file in a folder of testdata.
func decoderFor(folder, file string) intake.Decoder {
	name := folder
	switch {
	case folder == "sns":
		sns := intake.NewSNS(intake.SNSConfig{}, func(context.Context, string) ([]byte, error) { return nil, errors.New("unexpected request") })
		return func(in intake.Input) (intake.Output, error) { return sns.Decode(context.Background(), in) }
	case folder == "open-falcon":
		kind, _, _ := strings.Cut(strings.TrimSuffix(file, filepath.Ext(file)), "-")
		name += "/" + kind
	}
	for _, s := range intake.Systems() {
		if s.Name == name {
			return s.Decode
		}
	}
	return nil
}

// messageFiles returns the files of testdata that are messages.
func messageFiles(t testing.TB) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/*/*")
	if err != nil || len(all) == 0 {
		t.Fatalf("no message files: %v", err)
	}
	var out []string
	for _, path := range all {
		if info, err := os.Stat(path); err == nil && !info.IsDir() && !strings.HasSuffix(path, ".golden.json") && !strings.Contains(path, "fuzz") {
			out = append(out, path)
		}
	}
	return out
}

// TestGolden decodes each message to the alerts of its golden file, which were derived
// by hand from the systems' documentation.
func TestGolden(t *testing.T) {
	for _, path := range messageFiles(t) {
		t.Run(strings.TrimPrefix(path, "testdata/"), func(t *testing.T) {
			body := read(t, path)
			out, err := decoderFor(filepath.Base(filepath.Dir(path)), filepath.Base(path))(newInput(path, body))
			if err != nil {
				t.Fatal(err)
			}
			var want []alert.Alert
			if err := json.Unmarshal(read(t, strings.TrimSuffix(path, filepath.Ext(path))+".golden.json"), &want); err != nil {
				t.Fatal(err)
			}
			if len(out.Alerts) != len(want) {
				t.Fatalf("got %d alerts, want %d", len(out.Alerts), len(want))
			}
			for i := range want {
				compare(t, out.Alerts[i], &want[i])
			}
		})
	}
}

func compare(t *testing.T, got, want *alert.Alert) {
	t.Helper()
	if !maps.Equal(got.Labels, want.Labels) {
		t.Errorf("labels:\n got %v\nwant %v", toJSON(got.Labels), toJSON(want.Labels))
	}
	if !maps.Equal(got.Annotations, want.Annotations) {
		t.Errorf("annotations:\n got %v\nwant %v", toJSON(got.Annotations), toJSON(want.Annotations))
	}
	if !got.StartsAt.Equal(want.StartsAt) || !got.EndsAt.Equal(want.EndsAt) || got.Timeout != want.Timeout {
		t.Errorf("got an alert from %v to %v (timeout %v), want from %v to %v (%v)", got.StartsAt, got.EndsAt, got.Timeout, want.StartsAt, want.EndsAt, want.Timeout)
	}
	if got.GeneratorURL != want.GeneratorURL {
		t.Errorf("generatorURL: got %q, want %q", got.GeneratorURL, want.GeneratorURL)
	}
}

func toJSON(l alert.Labels) string {
	b, _ := json.Marshal(l)
	return string(b)
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
