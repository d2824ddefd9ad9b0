package functions

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud"
	"tocsin/pkg/localcloud/dingtalk"
	"tocsin/pkg/localcloud/lambda"
	"tocsin/pkg/localcloud/scf"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/localcloud/wecom"
)

const webhookConfig = `
store: {url: "bolt:<store>"}
webhook: {auth: {tokens: [{name: prometheus, token: "${HOOK_TOKEN}"}]}}
route:
  receiver: robot
  group_by: [alertname, project, endpoint]
  group_wait: 0s
  resolved_at_once: true
  routes: [{matchers: ['endpoint=~".+"'], receiver: app}]
receivers:
  - name: robot
    dingtalk_configs: [{url: "<dingtalk>/robot/send?access_token=${DINGTALK_TOKEN}", secret: "${DINGTALK_SECRET}", at: {mobiles: ["13800000000"]}}]
  - name: app
    wecom_app_configs: [{api_url: "<wecom>/cgi-bin/", corp_id: ww1, agent_id: "1000002", api_secret: "${WECOM_SECRET}", to_user: "{{ .CommonAnnotations.tos }}"}]
`

// hookSecrets are what the function's environment holds; nobody may see them.
var hookSecrets = map[string]string{
	"HOOK_TOKEN": "hook-token-0123456789", "DINGTALK_TOKEN": "dingtalk-token", "DINGTALK_SECRET": "SECdingtalk", "WECOM_SECRET": "wecom-secret",
}

// The built webhook function behind a function URL of each cloud, and a local
// cloud of channels.
func TestWebhookFunction(t *testing.T) {
	for name, tags := range map[string]string{"webhook-scf": forSCF, "webhook-lambda": forLambda} {
		if err := build(name, tags, "../../functions/webhook"); err != nil {
			t.Fatal(err)
		}
	}
	platforms := map[string]func(t *testing.T, env map[string]string) front{
		"scf": func(t *testing.T, env map[string]string) front {
			f, err := scf.StartGo1(t.Context(), scf.Options{Binary: binary("webhook-scf"), Name: "webhook", Env: env})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(f.Close)
			return front{f.Serve(scf.FunctionURL), f.Close, f.Output}
		},
		"lambda": func(t *testing.T, env map[string]string) front {
			f, err := lambda.Start(lambda.Options{Binary: binary("webhook-lambda"), Name: "webhook", Env: env})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(f.Close)
			return front{f.Serve(lambda.FunctionURL), f.Close, f.Output}
		},
	}
	for platform, start := range platforms {
		t.Run(platform, func(t *testing.T) { testWebhook(t, start) })
	}
}

func testWebhook(t *testing.T, start func(*testing.T, map[string]string) front) {
	cloud, err := localcloud.Start(t.Context(), localcloud.Options{Mail: smtp.Config{Username: "a@example.com", Password: "p"}})
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	cloud.DingTalk.Add("dingtalk-token", dingtalk.Robot{Secret: "SECdingtalk"})
	cloud.WeComApps.Add(wecom.App{CorpID: "ww1", Secret: "wecom-secret", AgentID: 1000002, Users: []string{"u1"}})
	dir := t.TempDir()
	text := strings.NewReplacer("<store>", filepath.Join(dir, "state.db"), "<dingtalk>", cloud.DingTalkURL, "<wecom>", cloud.WeComURL).Replace(webhookConfig)
	for name, content := range map[string]string{"tocsin.yaml": text, "ca.pem": string(cloud.Network.CAPEM())} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"TOCSIN_CONFIG": filepath.Join(dir, "tocsin.yaml"), "SSL_CERT_FILE": filepath.Join(dir, "ca.pem"), "SSL_CERT_DIR": dir}
	for name, value := range hookSecrets {
		env[name] = value
	}
	f := start(t, env)

	post := func(path, media, body string, want int) string {
		t.Helper()
		res, b := do(t, "POST", f.url+path, body, http.Header{"Content-Type": {media}, "Authorization": {"Bearer " + hookSecrets["HOOK_TOKEN"]}})
		if res.StatusCode != want {
			t.Fatalf("%s: %s: %s, want %d\n%s", path, res.Status, b, want, f.output())
		}
		return string(b)
	}

	// As Prometheus posts: the robot's signature and the mention are verified
	// there; the same alert again says nothing; its end follows.
	alert := func(end time.Duration) string {
		return fmt.Sprintf(`[{"labels":{"alertname":"HostDown","project":"oms","instance":"web-1"},"annotations":{"summary":"web-1 不可达"},"startsAt":%q,"endsAt":%q,"generatorURL":"http://prometheus.example.com/graph"}]`,
			time.Now().Add(-time.Minute).Truncate(time.Minute).Format(time.RFC3339), time.Now().Add(end).Format(time.RFC3339))
	}
	post("/api/v2/alerts", "application/json", alert(4*time.Minute), 200)
	post("/api/v2/alerts", "application/json", alert(4*time.Minute), 200)
	all := cloud.DingTalk.Inbox()
	if len(all) != 1 || !slices.Equal(all[0].Mobiles, []string{"13800000000"}) || !strings.Contains(all[0].Text, "web-1 不可达") {
		t.Fatalf("the robot got %+v\n%s", all, f.output())
	}
	post("/api/v2/alerts", "application/json", alert(-time.Second), 200)
	if all = cloud.DingTalk.Inbox(); len(all) != 2 || !strings.Contains(all[1].Text, "恢复") || len(all[1].Mobiles) != 0 {
		t.Fatalf("the robot got %+v\n%s", all, f.output())
	}

	// As Open-Falcon calls: PROBLEM 1, 2, 3 and OK are one alert's life.
	im := func(status string, step int) {
		t.Helper()
		content := fmt.Sprintf("[P1][%s][web-1][][ all(#3) cpu.idle  5<10][O%d %s]", status, step, time.Now().In(time.FixedZone("", 8*3600)).Format(time.DateTime))
		answer := post("/hooks/open-falcon/im", "application/x-www-form-urlencoded", url.Values{"tos": {"u1"}, "content": {content}}.Encode(), 200)
		if !strings.Contains(answer, `"alerts":1`) {
			t.Errorf("answer %s", answer)
		}
	}
	for step := range 3 {
		im("PROBLEM", step+1)
	}
	if got := cloud.WeComApps.Inbox(); len(got) != 1 || !slices.Equal(got[0].Users, []string{"u1"}) {
		t.Fatalf("the application said %+v\n%s", got, f.output())
	}
	// Its token ends in mid-flight: one is fetched, and the message arrives once.
	cloud.WeComApps.Expire()
	tokens := cloud.WeComApps.Calls(wecom.TokenPath)
	im("OK", 3)
	if got := cloud.WeComApps.Inbox(); len(got) != 2 || !strings.Contains(got[1].Content, "恢复") || cloud.WeComApps.Calls(wecom.TokenPath) != tokens+1 {
		t.Fatalf("the application said %+v, %d tokens\n%s", got, cloud.WeComApps.Calls(wecom.TokenPath)-tokens, f.output())
	}

	// Who has no token gets nowhere, and what is wrong is told; the instance lives on.
	for path, want := range map[string]int{"/api/v2/alerts": 401, "/hooks/grafana": 401, "/-/healthy": 200} {
		if res, b := do(t, "GET", f.url+path, "", nil); res.StatusCode != want {
			t.Errorf("without a token %s: %s: %s, want %d", path, res.Status, b, want)
		}
	}
	post("/hooks/grafana", "application/json", `{"alerts": 3}`, 400)
	if res, b := do(t, "GET", f.url+"/api/v2/status?token="+hookSecrets["HOOK_TOKEN"], "", nil); res.StatusCode != 200 || !strings.Contains(string(b), `"version":"0.34.2"`) {
		t.Errorf("status: %s: %s", res.Status, b)
	}
	f.close()
	for name, secret := range hookSecrets {
		if strings.Contains(f.output(), secret) {
			t.Errorf("%s can be seen in\n%s", name, f.output())
		}
	}
}
