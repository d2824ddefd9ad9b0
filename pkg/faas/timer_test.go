package faas

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func sample(t testing.TB, name string) []byte {
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
		got, err := parseTimer(sample(t, name))
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
}

func TestParseTimerWithLess(t *testing.T) {
	for event, want := range map[string]TimerEvent{
		`{"Type":"Timer"}`:                                         {Source: SCFTimer},
		`{"Type":"Timer","Message":{"not":"text"}}`:                {Source: SCFTimer},
		`{"source":"aws.scheduler"}`:                               {Source: AWSScheduler},
		`{"source":"aws.scheduler","time":"soon","resources":"x"}`: {Source: AWSScheduler},
		`{"source":"aws.scheduler","resources":["no slash"]}`:      {Source: AWSScheduler, Name: "no slash"},
	} {
		got, err := parseTimer([]byte(event))
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", event, got, err, want)
		}
	}
}

func TestParseTimerUnknown(t *testing.T) {
	const hint = ": call this function from a timer trigger"
	many := `{"` + strings.Repeat("k", 100) + `":0`
	for _, k := range "abcdefghijklmnopqrst" {
		many += `,"` + string(k) + `":0`
	}
	for _, c := range []struct{ name, event, want string }{
		{"function URL", string(sample(t, "unknown-function-url")),
			`the event is not a timer's, its keys are "body", "headers", "isBase64Encoded", "rawPath", "requestContext", "version"` + hint},
		{"another event of the same source", string(sample(t, "unknown-aws-event")),
			`the event is not a timer's, its keys are "account", "detail", "detail-type", "id", "region", "resources", "source", "time", "version"` + hint},
		{"keys in another case", `{"type":"Timer"}`, `the event is not a timer's, its keys are "type"` + hint},
		{"many keys, a long one", many + "}",
			`the event is not a timer's, its keys are "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "` + strings.Repeat("k", 64) + `…", "l", "m", "n", "o", …` + hint},
		{"control characters", `{"\n\u001b[31m":0}`, `the event is not a timer's, its keys are "\n\x1b[31m"` + hint},
		{"empty object", `{}`, "the event is empty, not a timer's" + hint},
		{"null", `null`, "the event is empty, not a timer's" + hint},
		{"list", `["hush"]`, "the event is not a JSON object" + hint},
		{"text", `hush`, "the event is not a JSON object" + hint},
		{"nothing", ``, "the event is not a JSON object" + hint},
		{"too large", strings.Repeat(" ", 262145), "the event has 262145 bytes: a timer's has at most 262144"},
	} {
		if _, err := parseTimer([]byte(c.event)); err == nil || err.Error() != c.want {
			t.Errorf("%s: error is\n%v, want\n%s", c.name, err, c.want)
		}
	}
}

func FuzzParseTimer(f *testing.F) {
	samples, err := filepath.Glob("testdata/*.json")
	if err != nil || len(samples) == 0 {
		f.Fatal("no samples", err)
	}
	for _, s := range samples {
		b, err := os.ReadFile(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		e, err := parseTimer(event)
		if err != nil {
			if e != (TimerEvent{}) {
				t.Errorf("an error and an event: %+v", e)
			}
			// Sixteen keys of 64 bytes, each byte escaped to four at most.
			if text := err.Error(); len(text) > 6000 || !utf8.ValidString(text) || strings.ContainsAny(text, "\n\r\x1b") {
				t.Errorf("error is not fit for a log: %q", text)
			}
			return
		}
		switch e.Source {
		case SCFTimer:
			if !e.Scheduled.IsZero() {
				t.Error("SCF's time was believed")
			}
		case AWSRule, AWSScheduler:
		default:
			t.Errorf("source %q", e.Source)
		}
	})
}
