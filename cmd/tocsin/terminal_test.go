package main

import (
	"net/http"
	"strings"
	"testing"
	"unicode"

	"tocsin/pkg/lag"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/localcloud/wecom"
	"tocsin/pkg/terminal"
)

// hostile is text from outside that would clear a terminal, reverse its text and add a
// line that seems to be Tocsin's.
const hostile = "x\x1b[2J\u202e\u009b1m\nok"

// wantEscaped fails the test if the output has control characters or a line that came
// from outside, or if hostile is not in it.
func (r result) wantEscaped(t *testing.T) {
	t.Helper()
	text := r.stdout + r.stderr
	isControl := func(c rune) bool {
		return c != '\n' && (unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c))
	}
	if strings.ContainsFunc(text, isControl) || strings.Contains("\n"+text, "\nok") || !strings.Contains(text, "[2J") {
		t.Errorf("got output\n%q\nwant hostile text escaped in it", text)
	}
}

func TestTextFromOutsideIsEscaped(t *testing.T) {
	cloud, env := newCloud(t, "0s")
	cloud.Tencent.AddInstance(tencentcloud.Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: tencentcloud.StaticGroups{hostile: {
		{Name: "paid" + hostile, Partitions: []tencentcloud.Partition{{ID: 0, Committed: 0, End: 2001}}},
	}}})
	tool := func(args ...string) result { return runToolWith(t.Context(), env, args...) }
	t.Run("names in lag", func(t *testing.T) { tool("lag").wantEscaped(t) })
	t.Run("names in the heading of a chart", func(t *testing.T) { tool("lag", "--chart").wantEscaped(t) })
	t.Run("names in lag as JSON", func(t *testing.T) { tool("lag", "-o", "json").wantEscaped(t) })
	t.Run("an error in lag", func(t *testing.T) {
		cloud.Tencent.Inject(tencentcloud.Fault{Action: "DescribeGroup", Do: tencentcloud.Reject("InternalError", hostile)})
		tool("lag").wantEscaped(t)
	})
	t.Run("an answer in send", func(t *testing.T) {
		cloud.WeCom.Inject(1, func(w http.ResponseWriter, r *http.Request, next func()) {
			wecom.Reject(93000, hostile)(w, r, next)
		})
		tool("send", "--receiver", "ops").wantEscaped(t)
	})
	t.Run("names in the sample of a hook", func(t *testing.T) {
		sample := writeFile(t, "sample.json", `{"version": "4", "alerts": [{"status": "firing", "startsAt": "2026-11-21T00:00:00Z", "labels": {"alertname": "x\u001b[2J\u202e\nok", "x\u001b[2J\u009b\nok": "x\u001b[2J"}}]}`)
		tool("check-config", "--hook", "alertmanager", "--sample", sample, writeFile(t, "t.yaml", renderConfig)).wantEscaped(t)
	})
	t.Run("a message in render", func(t *testing.T) {
		alerts := writeFile(t, "alerts.json", `{"labels": {"alertname": "x", "project": "x\u001b[2J\u202e\u009b"}}`)
		config := writeFile(t, "t.yaml", strings.Replace(renderConfig, "{{ .GroupLabels.project }}/", "[2J\u202e", 1))
		tool("render", "--config", config, "--receiver", "oms", "--alert", alerts).wantEscaped(t)
	})
	t.Run("arguments in an error", func(t *testing.T) { tool("x" + hostile).wantEscaped(t) })
}

func TestPaintedCellsAreEscaped(t *testing.T) {
	var out strings.Builder
	printLag(terminal.NewWriter(&out), []lag.TableRow{{Group: "g", Topic: "t", AlertState: lag.StateFiring, Rule: hostile}}, true)
	if want := "\x1b[31mfiring x\\u001b[2J\\u202e\\u009b1m\\nok\x1b[0m"; !strings.Contains(out.String(), want) {
		t.Errorf("got %q, want %q in it", out.String(), want)
	}
}
