package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

const renderConfig = `
webhook:
  auth: {tokens: [{name: ci, token: 0123456789abcdef}]}
  generic:
    - name: ci
      alerts: '{"labels": {"alertname": {{ .Body.job | toJson }}, "project": "oms"}, "annotations": {"summary": {{ .Body.text | toJson }}}, "status": "{{ .Body.state }}"}'
route:
  receiver: ops
  group_by: [project]
  routes: [{matchers: [project="oms"], receiver: oms, continue: true}, {receiver: ops}]
receivers:
  - name: ops
    wecom_robot_configs: [{url: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=robot-key"}]
    email_configs: [{to: a@example.com, from: b@example.com, smarthost: "127.0.0.1:465"}]
  - name: oms
    wecom_robot_configs: [{url: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=robot-key", message: "{{ .GroupLabels.project }}/{{ .CommonLabels.alertname }}"}]
`

// A sample is shown as the alerts that a hook makes of it, with their receivers;
// its faults are those that the hook would answer.
func TestCheckConfigSample(t *testing.T) {
	config := writeFile(t, "tocsin.yaml", renderConfig)
	sample := writeFile(t, "sample.json", `{"job": "Build", "text": "构建失败", "state": "firing"}`)
	t.Run("JSON for a generic hook", func(t *testing.T) {
		runTool(t, "check-config", config, "--sample", sample).want(t, 0, "",
			"/hooks/generic/ci: 1 alert", "firing Build → oms, ops", `label project = "oms"`, `annotation summary = "构建失败"`)
	})
	t.Run("a form for Open-Falcon", func(t *testing.T) {
		form := writeFile(t, "form", "tos=a&content=%5BP1%5D%5BPROBLEM%5D%5Bweb-1%5D%5B%5D%5B%20all%28%233%29%20cpu.idle%20%205%3C10%5D%5BO1%202026-11-21%2010%3A00%3A00%5D")
		runTool(t, "check-config", "--hook", "/hooks/open-falcon/im", "--sample", form, config).want(t, 0, "", `label endpoint = "web-1"`)
	})
	for _, test := range []struct {
		name, want string
		args       []string
	}{
		{"a body that is not the hook's", "/hooks/grafana refuses it: 400 alerts: is missing", []string{"--hook", "grafana", "--sample", sample}},
		{"an unknown hook", `no hook "nagios": the hooks are alertmanager, grafana,`, []string{"--hook", "nagios", "--sample", sample}},
		{"a template that makes no alert", "is neither firing nor resolved", []string{"--sample", writeFile(t, "s", `{"job": "Build", "state": "odd"}`)}},
		{"a missing file", "no such file", []string{"--sample", sample + "x"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := runTool(t, append([]string{"check-config", config}, test.args...)...)
			r.want(t, 1, test.want)
			if n := strings.Count(r.stderr, "\n"); n != 1 {
				t.Errorf("got %d lines on standard error, want 1:\n%s", n, r.stderr)
			}
		})
	}
}

func TestRender(t *testing.T) {
	config := writeFile(t, "tocsin.yaml", renderConfig)
	firing := writeFile(t, "firing.json", `{"labels": {"alertname": "NodeDown", "project": "oms", "instance": "10.0.0.1"}, "annotations": {"summary": "主机不可达"}}`)
	resolved := writeFile(t, "resolved.json", `{"version": "4", "alerts": [{"status": "resolved", "labels": {"alertname": "NodeDown"}, "annotations": {}, "startsAt": "2026-11-21T00:00:00Z", "endsAt": "2026-11-21T00:05:00Z"}]}`)
	render := func(receiver, alerts string) result {
		return runTool(t, "render", "--config", config, "--receiver", receiver, "--alert", alerts)
	}
	t.Run("built-in messages of every channel", func(t *testing.T) {
		r := render("ops", firing)
		r.want(t, 0, "", "wecom_robot/0\n  │ ", "主机不可达", "email/0\n")
		r.withoutSecret(t, "robot-key")
	})
	t.Run("a template of the user's", func(t *testing.T) { render("oms", firing).want(t, 0, "", "│ oms/NodeDown\n") })
	t.Run("a resolved alert, of which mail is not notified", func(t *testing.T) {
		render("ops", resolved).want(t, 0, "", "恢复", "email/0\n", "send_resolved is false")
	})
	for _, test := range []struct{ name, alerts, want string }{
		{"an empty list", `[]`, "there is no alert in it"},
		{"a webhook body without alerts", `{"alerts": []}`, "alert"},
		{"labels of the wrong type", `{"labels": 3}`, "labels"},
		{"broken JSON", `[{"labels": {"a": "b"}}`, ""},
		{"an empty file", "", ""},
	} {
		t.Run(test.name+" is an error that names the file", func(t *testing.T) {
			r := render("ops", writeFile(t, "bad.json", test.alerts))
			r.want(t, 1, "bad.json")
			if !strings.Contains(r.stderr, test.want) {
				t.Errorf("got %q, want %q in it", r.stderr, test.want)
			}
		})
	}
	t.Run("an unknown receiver is an error", func(t *testing.T) { render("nobody", firing).want(t, 1, `"nobody"`) })
}

// A template that fails on every alert is refused where the configuration is read, with
// its line.
func TestFailingTemplateIsRefused(t *testing.T) {
	file := writeFile(t, "tocsin.yaml", strings.Replace(renderConfig, "{{ .GroupLabels.project }}/", "{{ .GroupLabel.project }}/", 1))
	for _, args := range [][]string{
		{"check-config", file},
		{"serve", "--config.file", file, "--storage.path", t.TempDir(), "--web.listen-address", "127.0.0.1:0"},
		{"dev", "--config", file, "--listen", "127.0.0.1:0"},
	} {
		t.Run(args[0], func(t *testing.T) {
			runTool(t, args...).want(t, 1, "tocsin.yaml:16: receivers[1].wecom_robot_configs[0].message: template: :1:14: executing \"\" at <.GroupLabel.project>: can't evaluate field GroupLabel")
		})
	}
}

// A failing template that is reloaded leaves the previous configuration in force.
func TestFailingTemplateIsNotReloaded(t *testing.T) {
	file := writeFile(t, "tocsin.yaml", renderConfig)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	call := func(method, address string) (status int, body string) {
		r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		r.Header.Set("Authorization", "Bearer 0123456789abcdef")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	errs := &watchWriter{want: "Listening on address="}
	errs.found = func() {
		_, address, _ := strings.Cut(errs.text.String(), "Listening on address=")
		address = "http://" + strings.TrimSpace(address)
		broken := strings.NewReplacer("{{ .GroupLabels.project }}/", "{{ .GroupLabel.project }}/", "to: a@", "to: other@").Replace(renderConfig)
		if err := os.WriteFile(file, []byte(broken), 0o600); err != nil {
			t.Error(err)
		}
		go func() {
			defer cancel()
			const want = "tocsin.yaml:16: receivers[1].wecom_robot_configs[0].message: "
			if status, body := call("POST", address+"/-/reload"); status != 500 || !strings.Contains(body, want) {
				t.Errorf("got status %d and %q, want 500 and %q in it", status, body, want)
			}
			if _, body := call("GET", address+"/api/v2/status"); !strings.Contains(body, "to: a@example.com") {
				t.Errorf("got status %q, want the previous configuration", body)
			}
		}()
	}
	run(ctx, []string{"serve", "--config.file", file, "--storage.path", t.TempDir(), "--web.listen-address", "127.0.0.1:0"}, io.Discard, errs, lookupIn(nil))
}
