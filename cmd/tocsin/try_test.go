package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/pkg/localcloud/tencentcloud"
)

const tried = `
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

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A sample is shown as the alerts that it makes and where they would go; what is
// wrong with it is told as the hook would tell it.
func TestCheckConfigSample(t *testing.T) {
	config := file(t, "tocsin.yaml", tried)
	sample := file(t, "sample.json", `{"job": "Build", "text": "构建失败", "state": "firing"}`)
	status, out, errs := tocsin(t, "check-config", config, "--sample", sample)
	if status != 0 || errs != "" {
		t.Fatalf("exit %d\n%s", status, errs)
	}
	for _, want := range []string{"/hooks/generic/ci: 1 alert", "firing Build → oms, ops", `label project = "oms"`, `annotation summary = "构建失败"`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	form := file(t, "form", "tos=a&content=%5BP1%5D%5BPROBLEM%5D%5Bweb-1%5D%5B%5D%5B%20all%28%233%29%20cpu.idle%20%205%3C10%5D%5BO1%202026-11-21%2010%3A00%3A00%5D")
	if status, out, errs = tocsin(t, "check-config", "--hook", "/hooks/open-falcon/im", "--sample", form, config); status != 0 || !strings.Contains(out, `label endpoint = "web-1"`) {
		t.Errorf("a form: exit %d\n%s%s", status, out, errs)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"/hooks/grafana refuses it: 400 alerts: is missing", []string{"--hook", "grafana", "--sample", sample}},
		{`there is no hook "nagios": there are alertmanager, grafana,`, []string{"--hook", "nagios", "--sample", sample}},
		{"is neither firing nor resolved", []string{"--sample", file(t, "s", `{"job": "Build", "state": "odd"}`)}},
		{"no such file", []string{"--sample", sample + "x"}},
	} {
		status, _, errs := tocsin(t, append([]string{"check-config", config}, c.args...)...)
		if status != 1 || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: exit %d, %q", c.args, status, errs)
		}
	}
}

func TestRender(t *testing.T) {
	config := file(t, "tocsin.yaml", tried)
	firing := file(t, "firing.json", `{"labels": {"alertname": "NodeDown", "project": "oms", "instance": "10.0.0.1"}, "annotations": {"summary": "主机不可达"}}`)
	over := file(t, "over.json", `{"version": "4", "alerts": [{"status": "resolved", "labels": {"alertname": "NodeDown"}, "annotations": {}, "startsAt": "2026-11-21T00:00:00Z", "endsAt": "2026-11-21T00:05:00Z"}]}`)
	render := func(receiver, alerts string) (int, string, string) {
		return tocsin(t, "render", "--config", config, "--receiver", receiver, "--alert", alerts)
	}
	status, out, errs := render("ops", firing)
	if status != 0 || !strings.Contains(out, "wecom_robot/0\n  │ ") || !strings.Contains(out, "主机不可达") || !strings.Contains(out, "email/0\n") || strings.Contains(out+errs, "robot-key") {
		t.Errorf("exit %d\n%s%s", status, out, errs)
	}
	if status, out, errs = render("oms", firing); status != 0 || !strings.Contains(out, "│ oms/NodeDown\n") {
		t.Errorf("with a template: exit %d\n%s%s", status, out, errs)
	}
	status, out, errs = render("ops", over)
	if status != 0 || !strings.Contains(out, "恢复") || !strings.Contains(out, "email/0\n  says nothing: send_resolved is false") {
		t.Errorf("over: exit %d\n%s%s", status, out, errs)
	}
	for alerts, want := range map[string]string{
		`[]`: "there is no alert in it", `{"alerts": []}`: "alert", `{"labels": 3}`: "labels", `[{"labels": {"a": "b"}}`: "", "": "",
	} {
		if status, _, errs := render("ops", file(t, "bad.json", alerts)); status != 1 || !strings.Contains(errs, want) || !strings.Contains(errs, "bad.json") {
			t.Errorf("%q: exit %d, %q", alerts, status, errs)
		}
	}
	if status, _, errs := render("nobody", firing); status != 1 || !strings.Contains(errs, `"nobody"`) {
		t.Errorf("unknown receiver: exit %d, %s", status, errs)
	}
	if status, _, _ := tocsin(t, "render", "--config", config, "--receiver", "ops"); status != 2 {
		t.Errorf("without alerts: exit %d, want 2", status)
	}
}

// A watch prints again and again, each look with a chart of what it has seen so
// far, until it is ended; what goes wrong meanwhile does not end it.
func TestLagWatch(t *testing.T) {
	cloud, env := watched(t, "1m")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &until{found: cancel, want: "order-worker / paid", times: 3}
	var errs strings.Builder
	cloud.Tencent.Fail(tencentcloud.Fault{Action: "DescribeGroup", Do: tencentcloud.Refuse("InternalError", "once")})
	status := run(ctx, []string{"lag", "--watch", "--every", "20ms", "--chart"}, out, &errs, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if status != 0 || strings.Count(out.text.String(), "every 20ms") < 3 {
		t.Errorf("exit %d\n%s%s", status, &out.text, errs.String())
	}
}
