package faas

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func readSample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseTimer(t *testing.T) {
	for name, want := range map[string]TimerEvent{
		"scf-timer":           {Source: SCFTimer, Name: "EveryMinute", Message: "orders"},
		"aws-rule":            {Source: AWSRule, Name: "my-scheduled-rule", Scheduled: time.Date(2015, 10, 8, 16, 53, 6, 0, time.UTC)},
		"aws-scheduler":       {Source: AWSScheduler, Name: "minute", Scheduled: time.Date(2022, 12, 16, 18, 6, 22, 0, time.UTC)},
		"aws-scheduler-input": {Source: AWSScheduler, Name: "minute", Scheduled: time.Date(2022, 3, 22, 18, 59, 43, 0, time.UTC)},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := parseTimer(readSample(t, name)); err != nil || got != want {
				t.Errorf("got %+v, error %v; want %+v", got, err, want)
			}
		})
	}
}

func TestParseTimerWithMissingFields(t *testing.T) {
	for event, want := range map[string]TimerEvent{
		`{"Type":"Timer"}`:                                         {Source: SCFTimer},
		`{"Type":"Timer","Message":{"not":"text"}}`:                {Source: SCFTimer},
		`{"source":"aws.scheduler"}`:                               {Source: AWSScheduler},
		`{"source":"aws.scheduler","time":"soon","resources":"x"}`: {Source: AWSScheduler},
		`{"source":"aws.scheduler","resources":["no slash"]}`:      {Source: AWSScheduler, Name: "no slash"},
	} {
		t.Run(event, func(t *testing.T) {
			if got, err := parseTimer([]byte(event)); err != nil || got != want {
				t.Errorf("got %+v, error %v; want %+v", got, err, want)
			}
		})
	}
}

func TestParseTimerRejectsOtherEvents(t *testing.T) {
	const hint = ": call this function from a timer trigger"
	many := `{"` + strings.Repeat("k", 100) + `":0`
	for _, k := range "abcdefghijklmnopqrst" {
		many += `,"` + string(k) + `":0`
	}
	for _, c := range []struct{ name, event, want string }{
		{"function URL", string(readSample(t, "unknown-function-url")),
			`the event is not a timer's, its keys are "body", "headers", "isBase64Encoded", "rawPath", "requestContext", "version"` + hint},
		{"other event of the same source", string(readSample(t, "unknown-aws-event")),
			`the event is not a timer's, its keys are "account", "detail", "detail-type", "id", "region", "resources", "source", "time", "version"` + hint},
		{"keys in another case", `{"type":"Timer"}`, `the event is not a timer's, its keys are "type"` + hint},
		{"many keys, one of them long", many + "}",
			`the event is not a timer's, its keys are "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "` + strings.Repeat("k", 64) + `…", "l", "m", "n", "o", …` + hint},
		{"control characters", `{"\n\u001b[31m":0}`, `the event is not a timer's, its keys are "\n\x1b[31m"` + hint},
		{"empty object", `{}`, "the event is empty, not a timer's" + hint},
		{"null", `null`, "the event is empty, not a timer's" + hint},
		{"list", `["hush"]`, "the event is not a JSON object" + hint},
		{"not JSON", `hush`, "the event is not a JSON object" + hint},
		{"empty event", ``, "the event is not a JSON object" + hint},
		{"too large", strings.Repeat(" ", 262145), "the event has 262145 bytes: a timer's has at most 262144"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := parseTimer([]byte(c.event)); err == nil || err.Error() != c.want {
				t.Errorf("got error\n%v\nwant\n%s", err, c.want)
			}
		})
	}
}

// addSamples adds all samples of events to a fuzz test.
func addSamples(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("got %d samples, error %v; want some", len(files), err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// checkErrorText checks that an error is short and has no control characters.
// It names up to sixteen keys of 64 bytes, each byte escaped to at most four.
func checkErrorText(t *testing.T, err error) {
	t.Helper()
	if text := err.Error(); len(text) > 6000 || !utf8.ValidString(text) || strings.ContainsAny(text, "\n\r\x1b") {
		t.Errorf("got error %q, want a short text without control characters", text)
	}
}

func FuzzParseTimer(f *testing.F) {
	addSamples(f)
	f.Fuzz(func(t *testing.T, event []byte) {
		e, err := parseTimer(event)
		if err != nil {
			if e != (TimerEvent{}) {
				t.Errorf("got event %+v with error %v, want none", e, err)
			}
			checkErrorText(t, err)
			return
		}
		switch e.Source {
		case SCFTimer:
			if !e.Scheduled.IsZero() {
				t.Errorf("SCF timer: got scheduled time %v, want none", e.Scheduled)
			}
		case AWSRule, AWSScheduler:
		default:
			t.Errorf("got source %q, want a known one", e.Source)
		}
	})
}
