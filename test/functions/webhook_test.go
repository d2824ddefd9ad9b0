package functions

import (
	"fmt"
	"net/http"
	"net/url"
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
store: {url: "bolt:<dir>/state.db"}
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

// hookSecrets are the secrets in the function's environment.
var hookSecrets = map[string]string{
	"HOOK_TOKEN": "hook-token-0123456789", "DINGTALK_TOKEN": "dingtalk-token", "DINGTALK_SECRET": "SECdingtalk", "WECOM_SECRET": "wecom-secret",
}

// TestWebhookFunction runs the webhook function with a function URL of each
// cloud, and a local cloud of channels.
func TestWebhookFunction(t *testing.T) {
	mustBuild(t, "webhook", "../../functions/webhook")
	t.Run("scf", func(t *testing.T) {
		testWebhook(t, func(env map[string]string) httpFunction {
			f := startGo1(t, "webhook-scf", "webhook", env)
			return httpFunction{f.Serve(scf.FunctionURL), f.Close, f.Output}
		})
	})
	t.Run("lambda", func(t *testing.T) {
		testWebhook(t, func(env map[string]string) httpFunction {
			f := startLambda(t, "webhook-lambda", "webhook", env)
			return httpFunction{f.Serve(lambda.FunctionURL), f.Close, f.Output}
		})
	})
}

func testWebhook(t *testing.T, start func(env map[string]string) httpFunction) {
	cloud, err := localcloud.Start(t.Context(), localcloud.Options{Mail: smtp.Config{Username: "a@example.com", Password: "p"}})
	must(t, err)
	defer cloud.Close()
	cloud.DingTalk.Add("dingtalk-token", dingtalk.Robot{Secret: "SECdingtalk"})
	cloud.WeComApps.Add(wecom.App{CorpID: "ww1", Secret: "wecom-secret", AgentID: 1000002, Users: []string{"u1"}})
	_, env := writeConfig(t, cloud, webhookConfig, hookSecrets, "<dingtalk>", cloud.DingTalkURL, "<wecom>", cloud.WeComURL)
	f := start(env)

	post := func(path, media, body string, want int) string {
		t.Helper()
		res, b := send(t, "POST", f.url+path, body, http.Header{"Content-Type": {media}, "Authorization": {"Bearer " + hookSecrets["HOOK_TOKEN"]}})
		if res.StatusCode != want {
			t.Fatalf("%s: got %s, body %s; want %d\n%s", path, res.Status, b, want, f.output())
		}
		return string(b)
	}

	// Alerts from Prometheus. The fake DingTalk checks the signature and the
	// mention. A repeated alert sends no notification, a resolved one does.
	alert := func(end time.Duration) string {
		return fmt.Sprintf(`[{"labels":{"alertname":"HostDown","project":"oms","instance":"web-1"},"annotations":{"summary":"web-1 不可达"},"startsAt":%q,"endsAt":%q,"generatorURL":"http://prometheus.example.com/graph"}]`,
			time.Now().Add(-time.Minute).Truncate(time.Minute).Format(time.RFC3339), time.Now().Add(end).Format(time.RFC3339))
	}
	post("/api/v2/alerts", "application/json", alert(4*time.Minute), 200)
	post("/api/v2/alerts", "application/json", alert(4*time.Minute), 200)
	all := cloud.DingTalk.Inbox()
	if len(all) != 1 || !slices.Equal(all[0].Mobiles, []string{"13800000000"}) || !strings.Contains(all[0].Text, "web-1 不可达") {
		t.Fatalf("robot: got %+v, want one message\n%s", all, f.output())
	}
	post("/api/v2/alerts", "application/json", alert(-time.Second), 200)
	if all = cloud.DingTalk.Inbox(); len(all) != 2 || !strings.Contains(all[1].Text, "恢复") || len(all[1].Mobiles) != 0 {
		t.Fatalf("robot: got %+v, want a second message, resolved and without mentions\n%s", all, f.output())
	}

	// Open-Falcon sends PROBLEM 1, 2, 3 and OK for one alert.
	im := func(status string, step int) {
		t.Helper()
		content := fmt.Sprintf("[P1][%s][web-1][][ all(#3) cpu.idle  5<10][O%d %s]", status, step, time.Now().In(time.FixedZone("", 8*3600)).Format(time.DateTime))
		response := post("/hooks/open-falcon/im", "application/x-www-form-urlencoded", url.Values{"tos": {"u1"}, "content": {content}}.Encode(), 200)
		if !strings.Contains(response, `"alerts":1`) {
			t.Errorf("Open-Falcon: got %s, want one alert", response)
		}
	}
	for step := range 3 {
		im("PROBLEM", step+1)
	}
	if got := cloud.WeComApps.Inbox(); len(got) != 1 || !slices.Equal(got[0].Users, []string{"u1"}) {
		t.Fatalf("application: got %+v, want one message to u1\n%s", got, f.output())
	}
	// The access token expires: a new one is requested, and the message is sent
	// once.
	cloud.WeComApps.Expire()
	tokens := cloud.WeComApps.Calls(wecom.TokenPath)
	im("OK", 3)
	if got := cloud.WeComApps.Inbox(); len(got) != 2 || !strings.Contains(got[1].Content, "恢复") || cloud.WeComApps.Calls(wecom.TokenPath) != tokens+1 {
		t.Fatalf("application: got %+v, %d new tokens; want a second message, resolved, and one token\n%s", got, cloud.WeComApps.Calls(wecom.TokenPath)-tokens, f.output())
	}

	// Requests without a token and invalid ones are rejected; the instance
	// continues.
	for path, want := range map[string]int{"/api/v2/alerts": 401, "/hooks/grafana": 401, "/-/healthy": 200} {
		if res, b := send(t, "GET", f.url+path, "", nil); res.StatusCode != want {
			t.Errorf("%s without a token: got %s, body %s; want %d", path, res.Status, b, want)
		}
	}
	post("/hooks/grafana", "application/json", `{"alerts": 3}`, 400)
	if res, b := send(t, "GET", f.url+"/api/v2/status?token="+hookSecrets["HOOK_TOKEN"], "", nil); res.StatusCode != 200 || !strings.Contains(string(b), `"version":"0.34.2"`) {
		t.Errorf("status: got %s, body %s; want 200 and the version", res.Status, b)
	}
	f.close()
	for name, secret := range hookSecrets {
		if strings.Contains(f.output(), secret) {
			t.Errorf("log: got\n%s\nwant no %s", f.output(), name)
		}
	}
}
