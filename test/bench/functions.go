package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tocsin/pkg/localcloud"
	"tocsin/pkg/localcloud/lambda"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/localcloud/tencentcloud"
)

// starts is how often a process is started for one measurement. The measured
// program and the baseline alternate, so that disturbances affect both.
const starts = 41

// timerEvent is the event of a timer function.
var timerEvent = []byte(`{"version":"0","id":"1","detail-type":"Scheduled Event","source":"aws.events","account":"1","time":"2026-11-20T00:00:00Z","region":"us-east-1","resources":["arn:aws:events:us-east-1:1:rule/minute"],"detail":{}}`)

// invokeOnce starts a function and sends it one event. It returns the time from
// the start of the process to the response, and the peak memory. Each start
// uses a new copy of the binary, as a platform that has just unpacked it:
// otherwise the layout of one file in the page cache would change all times by
// up to a tenth.
func (b *bench) invokeOnce(ctx context.Context, name string, event []byte, env map[string]string) (took time.Duration, response []byte, memory int64, err error) {
	content, err := os.ReadFile(b.binary(name))
	if err != nil {
		return 0, nil, 0, err
	}
	folder, err := os.MkdirTemp(b.work, "unpacked")
	if err != nil {
		return 0, nil, 0, err
	}
	defer os.RemoveAll(folder)
	binary := filepath.Join(folder, name)
	if err := os.WriteFile(binary, content, 0o700); err != nil {
		return 0, nil, 0, err
	}
	begin := time.Now()
	f, err := lambda.Start(lambda.Options{Binary: binary, Env: env})
	if err != nil {
		return 0, nil, 0, err
	}
	response, err = f.Invoke(ctx, event, lambda.InvokeOptions{})
	took = time.Since(begin)
	if err == nil {
		memory, err = f.PeakMemory()
	}
	f.Close()
	if err != nil {
		return 0, nil, 0, fmt.Errorf("%s: %w\n%s", filepath.Base(binary), err, f.Output())
	}
	return took, response, memory, nil
}

const quietConfig = `
store: {url: "memory:"}
lag:
  rules: [{alert: KafkaConsumerLag, max_lag: 2000}]
route: {receiver: ops, group_by: [alertname, cluster, consumer_group], group_wait: 0s}
receivers:
  - name: ops
    wecom_robot_configs: [{url: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k"}]
`

// coldStart measures from exec to the first response: the lag function with a
// configuration but no cluster, and a function that does nothing.
func (b *bench) coldStart(ctx context.Context) ([]row, error) {
	config, err := b.writeConfig("quiet.yaml", quietConfig)
	if err != nil {
		return nil, err
	}
	var bare, lag sample
	for range starts {
		took, _, _, err := b.invokeOnce(ctx, "bare", timerEvent, nil)
		if err != nil {
			return nil, err
		}
		bare = append(bare, took)
		if took, _, _, err = b.invokeOnce(ctx, "lag", timerEvent, map[string]string{"TOCSIN_CONFIG": config}); err != nil {
			return nil, err
		}
		lag = append(lag, took)
	}
	return []row{{"cold start: exec to first response", "lag function: " + lag.String(), "empty function: " + bare.String(), ratio(lag.median(), bare.median()), "1.5"}}, nil
}

// startCloud starts a local cloud with one instance, and returns it with the
// environment variables of a function that reads it.
func (b *bench) startCloud(ctx context.Context, groups tencentcloud.StaticGroups, maxLag int) (*localcloud.Cloud, map[string]string, error) {
	cloud, err := localcloud.Start(ctx, localcloud.Options{Mail: smtp.Config{Username: "a@example.com", Password: "p"}})
	if err != nil {
		return nil, nil, err
	}
	cloud.Tencent.SetKey("id", tencentcloud.Key{Secret: "key"})
	cloud.Tencent.LimitRate(1_000_000)
	cloud.Tencent.AddInstance(tencentcloud.Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: groups})
	cloud.Tencent.AddSMSApp(tencentcloud.SMSApp{ID: "1400000000", Signs: []string{"示例公司"}, Balance: 1_000_000, ParamLimit: 20, PerHalfMinute: 1_000_000, PerDay: 1_000_000,
		Templates: []tencentcloud.SMSTemplate{{ID: "100", Text: "告警：{1}，请处理。"}}})
	ca := filepath.Join(b.work, "ca.pem")
	if err := os.WriteFile(ca, cloud.Network.CAPEM(), 0o600); err != nil {
		cloud.Close()
		return nil, nil, err
	}
	config, err := b.writeConfig("cloud.yaml", strings.NewReplacer("TENCENT", cloud.TencentURL, "WECOM", cloud.WeComURL, "SMTP", cloud.SMTPAddr, "MAXLAG", fmt.Sprint(maxLag)).Replace(`
global: {tencent_secret_id: id, tencent_secret_key: key, smtp_smarthost: "SMTP", smtp_force_implicit_tls: true, smtp_from: a@example.com, smtp_auth_username: a@example.com, smtp_auth_password: p}
store: {url: "memory:"}
lag:
  clusters: [{name: orders, ckafka: {instance_id: ckafka-1, region: ap-guangzhou, endpoint: "TENCENT"}}]
  rules: [{alert: KafkaConsumerLag, max_lag: MAXLAG}]
route: {receiver: ops, group_by: [alertname, cluster, consumer_group], group_wait: 0s}
receivers:
  - name: ops
    wecom_robot_configs: [{url: "WECOM/cgi-bin/webhook/send?key=KEY"}]
    sms_configs: [{sdk_app_id: "1400000000", sign_name: 示例公司, template_id: "100", params: ["{{ .CommonLabels.consumer_group }}"], to: ["+8613800000000"], endpoint: "TENCENT"}]
    email_configs: [{to: ops@example.com}]
`))
	if err != nil {
		cloud.Close()
		return nil, nil, err
	}
	return cloud, map[string]string{"TOCSIN_CONFIG": config, "SSL_CERT_FILE": ca, "SSL_CERT_DIR": filepath.Join(b.work, "none")}, nil
}

// newGroups returns groups with topics, with a lag in every partition.
func newGroups(groups, topics, partitions int, lag int64) tencentcloud.StaticGroups {
	t := tencentcloud.StaticGroups{}
	for g := range groups {
		var all []tencentcloud.Topic
		for i := range topics {
			topic := tencentcloud.Topic{Name: fmt.Sprintf("topic-%03d", i)}
			for p := range partitions {
				topic.Partitions = append(topic.Partitions, tencentcloud.Partition{ID: int32(p), Committed: 1_000_000, End: 1_000_000 + lag})
			}
			all = append(all, topic)
		}
		t[fmt.Sprintf("group-%03d", g)] = all
	}
	return t
}

// invocation measures a complete invocation, from exec to response: 1,200
// partitions polled, ten topics over the threshold, and one message each by
// robot, SMS and email, all over TLS.
func (b *bench) invocation(ctx context.Context) ([]row, error) {
	groups := newGroups(1, 50, 24, 10)
	for i := range 10 {
		groups["group-000"][i].Partitions[0].End += 5000
	}
	cloud, env, err := b.startCloud(ctx, groups, 2000)
	if err != nil {
		return nil, err
	}
	defer cloud.Close()
	var bare, whole sample
	for i := range starts {
		key := fmt.Sprintf("KEY%d", i) // one robot each, because of their limit of 20 messages a minute
		cloud.WeCom.Add(key)
		text, err := os.ReadFile(env["TOCSIN_CONFIG"])
		if err != nil {
			return nil, err
		}
		path, err := b.writeConfig("run.yaml", strings.Replace(string(text), "key=KEY", "key="+key, 1))
		if err != nil {
			return nil, err
		}
		took, response, _, err := b.invokeOnce(ctx, "lag", timerEvent, map[string]string{"TOCSIN_CONFIG": path, "SSL_CERT_FILE": env["SSL_CERT_FILE"], "SSL_CERT_DIR": env["SSL_CERT_DIR"]})
		if err != nil {
			return nil, err
		}
		if want := `{"polled":1,"alerts":10,"sent":3,"pending":0}`; string(response) != want {
			return nil, fmt.Errorf("the lag function returned %s, want %s", response, want)
		}
		whole = append(whole, took)
		if took, _, _, err = b.invokeOnce(ctx, "bare", timerEvent, nil); err != nil {
			return nil, err
		}
		bare = append(bare, took)
	}
	return []row{{"exec to response: poll 1,200 partitions, alert on 10 topics, send robot, SMS and email over TLS", "lag function: " + whole.String(), "empty function: " + bare.String(),
		ratio(whole.median(), bare.median()), "10 ms"}}, nil
}

// poll measures a poll of 100 groups × 50 topics × 24 partitions, all below the
// threshold: requests, time and memory.
func (b *bench) poll(ctx context.Context) ([]row, error) {
	cloud, env, err := b.startCloud(ctx, newGroups(100, 50, 24, 10), 2000)
	if err != nil {
		return nil, err
	}
	defer cloud.Close()
	took, response, memory, err := b.invokeOnce(ctx, "lag", timerEvent, env)
	if err != nil {
		return nil, err
	}
	if want := `{"polled":100,"alerts":0,"sent":0,"pending":0}`; string(response) != want {
		return nil, fmt.Errorf("the lag function returned %s, want %s", response, want)
	}
	const pages = 102 // 2 of groups, 1 of topics for each group
	requests := cloud.Tencent.Count("")
	return []row{
		{"poll of 100 groups × 50 topics × 24 partitions: requests", fmt.Sprint(requests), fmt.Sprintf("pages of the API: %d", pages), ratio(requests, pages), "1.00"},
		{"poll of 100 groups × 50 topics × 24 partitions: time at 50 requests per second", millis(took), "rate limit alone: 1240.0 ms", ratio(took.Milliseconds(), 1240), ""},
		{"poll of 100 groups × 50 topics × 24 partitions: peak memory", fmt.Sprintf("%.1f MB", float64(memory)/1e6), "64.0 MB", fmt.Sprintf("%.2f", float64(memory)/64e6), "1.00"},
	}, nil
}

// alertEvent is a request of Prometheus with an alert, from a function URL.
const alertEvent = `{"version":"2.0","routeKey":"$default","rawPath":"/api/v2/alerts","rawQueryString":"",
"headers":{"content-type":"application/json","host":"id.lambda-url.us-east-1.on.aws","authorization":"Bearer token-0123456789"},
"requestContext":{"accountId":"anonymous","apiId":"id","domainName":"id.lambda-url.us-east-1.on.aws","http":{"method":"POST","path":"/api/v2/alerts","protocol":"HTTP/1.1","sourceIp":"203.0.113.1"},"requestId":"1","routeKey":"$default","stage":"$default","timeEpoch":0},
"isBase64Encoded":false,"body":"[{\"labels\":{\"alertname\":\"DiskFull\",\"instance\":\"10.0.0.1:9100\"},\"annotations\":{\"summary\":\"96.2 % used\"}}]"}`

const hookConfig = `
store: {url: "bolt:STATE"}
webhook: {auth: {tokens: [{name: prometheus, token: token-0123456789}]}}
route: {receiver: ops, group_by: [alertname], group_wait: 0s}
receivers:
  - name: ops
    wecom_robot_configs: [{url: "WECOM/cgi-bin/webhook/send?key=KEY"}]
`

// hookStart measures the webhook function from exec to the response to one
// alert, which by then is stored in a new file and sent to a robot over TLS.
func (b *bench) hookStart(ctx context.Context) ([]row, error) {
	cloud, env, err := b.startCloud(ctx, nil, 0)
	if err != nil {
		return nil, err
	}
	defer cloud.Close()
	var bare, hook sample
	var peak int64
	for i := range starts {
		key := fmt.Sprintf("HOOK%d", i)
		cloud.WeCom.Add(key)
		config, err := b.writeConfig("hook.yaml", strings.NewReplacer("STATE", filepath.Join(b.work, key+".db"), "WECOM", cloud.WeComURL, "KEY", key).Replace(hookConfig))
		if err != nil {
			return nil, err
		}
		env["TOCSIN_CONFIG"] = config
		took, response, memory, err := b.invokeOnce(ctx, "webhook", []byte(alertEvent), env)
		if err != nil {
			return nil, err
		}
		if got := len(cloud.WeCom.Inbox()); !strings.Contains(string(response), `"statusCode":200`) || got != i+1 {
			return nil, fmt.Errorf("the webhook function responded with %s, and the robot has %d messages, want %d", response, got, i+1)
		}
		hook, peak = append(hook, took), max(peak, memory)
		if took, _, _, err = b.invokeOnce(ctx, "bare", timerEvent, nil); err != nil {
			return nil, err
		}
		bare = append(bare, took)
	}
	return []row{
		{"exec to response: receive one alert, store it, send it to a robot over TLS", "webhook function: " + hook.String(), "empty function: " + bare.String(), ratio(hook.median(), bare.median()), ""},
		{"peak memory of that process", fmt.Sprintf("%.1f MB", float64(peak)/1e6), "", "", ""},
	}, nil
}
