package notifytest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tocsin/pkg/alert"
)

var update = flag.Bool("update", false, "write the golden files; review them before committing")

// Scene is a notification with texts that its message must contain.
type Scene struct {
	Name   string
	Alerts []*alert.Alert
	// WantBoth must be in the messages of both languages, WantZH and WantEN in those of
	// one. They are derived by hand.
	WantBoth, WantZH, WantEN []string
}

// Golden compares every scene's message in both languages with the file
// testdata/NAME.LANGUAGE.KIND. deliver sends the scene's alerts and returns the
// message as its reader gets it. With the flag -update it writes the files.
func Golden(t *testing.T, kind string, scenes []Scene, deliver func(t *testing.T, language string, s Scene) string) {
	for _, s := range scenes {
		for _, language := range []string{"zh", "en"} {
			name := s.Name + "." + language + "." + kind
			t.Run(name, func(t *testing.T) {
				got := deliver(t, language, s)
				CompareGolden(t, name, got+"\n")
				s.Check(t, language, got)
			})
		}
	}
}

// Check fails the test if got lacks a text that the scene wants in a language.
func (s Scene) Check(t *testing.T, language, got string) {
	t.Helper()
	own := s.WantZH
	if language == "en" {
		own = s.WantEN
	}
	for _, parts := range [][]string{s.WantBoth, own} {
		for _, part := range parts {
			if !strings.Contains(got, part) {
				t.Errorf("got a message without %q, want it in\n%s", part, got)
			}
		}
	}
}

// CompareGolden fails the test if got differs from the file testdata/NAME. With
// the flag -update it writes the file.
func CompareGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant %s:\n%s", got, file, want)
	}
}

// ChatScenes returns the scenes that every chat channel has golden files for. disk are the
// annotations of another system's alert, with characters that are markup in the channel.
// want adds texts to WantBoth, by the name of the scene; an unknown name panics.
func ChatScenes(disk alert.Labels, want map[string][]string) []Scene {
	scenes := []Scene{
		{Name: "one-topic-firing", Alerts: OneTopic(),
			WantBoth: []string{"12,345", "2,000", "order-worker", "#3 5,000 · #7 4,100", "11-20 23:05:10"},
			WantZH:   []string{"消费积压 · orders / order-worker / order", "5 分钟"},
			WantEN:   []string{"FIRING", "5m"}},
		{Name: "one-topic-resolved", Alerts: OneTopicResolved(),
			WantBoth: []string{"1,200", "11-20 23:05:10", "11-20 23:10:10"},
			WantZH:   []string{"恢复", "持续了 5 分钟"},
			WantEN:   []string{"RESOLVED", "after 5m"}},
		{Name: "few-topics-firing", Alerts: FewTopics(),
			WantBoth: []string{"42,345", "30,000", "12,345"},
			WantZH:   []string{"（2 个 topic）", "1 小时 5 分钟", "最多的是 order"},
			WantEN:   []string{"(2 topics)", "1h 5m", "most of them in order"}},
		{Name: "many-topics-firing", Alerts: ManyTopics(),
			WantBoth: []string{"357,000", "90,000", "22,000"},
			WantZH:   []string{"（7 个 topic）", "最多的是 orders-b"},
			WantEN:   []string{"(7 topics)", "most of them in orders-b"}},
		{Name: "generic-firing", Alerts: DiskAlert(disk),
			WantBoth: []string{"DiskFull", "node", "10.0.0.8:9100", "11-19 21:10:10"},
			WantZH:   []string{"1 天 2 小时"},
			WantEN:   []string{"1d 2h"}},
		{Name: "generic-resolved", Alerts: Resolved(DiskAlert(disk)...),
			WantBoth: []string{"DiskFull"},
			WantZH:   []string{"恢复", "持续了 1 天 2 小时"},
			WantEN:   []string{"RESOLVED", "after 1d 2h"}},
		{Name: "host-firing", Alerts: HostAlert(),
			WantBoth: []string{"web-1", "11-20 23:09:00", "oms"},
			WantZH:   []string{"主机失联", "1 分钟 10 秒没有上报"},
			WantEN:   []string{"Host offline", "No report for 1m 10s"}},
		{Name: "mixed-states", Alerts: MixedStates(),
			WantBoth: []string{"12,345", "1,200"},
			WantZH:   []string{"（1 个 topic，另有 1 个已恢复）"},
			WantEN:   []string{"(1 topic, 1 more resolved)"}},
	}
	for name, texts := range want {
		i := slices.IndexFunc(scenes, func(s Scene) bool { return s.Name == name })
		if i < 0 {
			panic(fmt.Sprintf("there is no scene %q", name))
		}
		scenes[i].WantBoth = append(scenes[i].WantBoth, texts...)
	}
	return scenes
}

// TemplateFile writes a template file and returns its path.
func TemplateFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "test.tmpl")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// ReadGolden returns the golden file testdata/NAME, without the line break that Golden
// adds.
func ReadGolden(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:len(b)-1])
}
