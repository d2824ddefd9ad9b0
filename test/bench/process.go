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

// runs is how often a process is started for one figure; others are started in
// between, so that the machine's moods fall on all.
const runs = 41

// tick is the event that the functions get.
var tick = []byte(`{"version":"0","id":"1","detail-type":"Scheduled Event","source":"aws.events","account":"1","time":"2026-11-20T00:00:00Z","region":"us-east-1","resources":["arn:aws:events:us-east-1:1:rule/minute"],"detail":{}}`)

// once starts a function, sends it one event and returns how long it took from the
// start of the process to its answer, and the most memory that it held. Each start
// is of a new copy, as where a platform has just unpacked it: how the file lies in
// the page cache makes a tenth of the time, and would be the same luck in all runs.
func (b *bench) once(ctx context.Context, name string, event []byte, env map[string]string) (took time.Duration, answer []byte, memory int64, err error) {
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
	answer, err = f.Invoke(ctx, event, lambda.InvokeOptions{})
	took = time.Since(begin)
	if err == nil {
		memory, err = f.PeakMemory()
	}
	f.Close()
	if err != nil {
		return 0, nil, 0, fmt.Errorf("%s: %w\n%s", filepath.Base(binary), err, f.Output())
	}
	return took, answer, memory, nil
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

// coldStart measures from exec to the first answer: the lag function with a
// configuration but no cluster to ask, beside a function that does nothing.
func (b *bench) coldStart(ctx context.Context) ([]row, error) {
	config, err := b.write("quiet.yaml", quietConfig)
	if err != nil {
		return nil, err
	}
	var bare, lag sample
	for range runs {
		took, _, _, err := b.once(ctx, "bare", tick, nil)
		if err != nil {
			return nil, err
		}
		bare = append(bare, took)
		if took, _, _, err = b.once(ctx, "lag", tick, map[string]string{"TOCSIN_CONFIG": config}); err != nil {
			return nil, err
		}
		lag = append(lag, took)
	}
	return []row{{"cold start, exec to first answer", "lag " + lag.String(), "empty handler " + bare.String(), ratio(lag.median(), bare.median()), "1.5"}}, nil
}

// cloud starts a local cloud with one instance, and returns the environment and
// the configuration of a function that works on it.
func (b *bench) cloud(ctx context.Context, groups tencentcloud.StaticGroups, maxLag int) (*localcloud.Cloud, map[string]string, error) {
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
	config, err := b.write("cloud.yaml", strings.NewReplacer("TENCENT", cloud.TencentURL, "WECOM", cloud.WeComURL, "SMTP", cloud.SMTPAddr, "MAXLAG", fmt.Sprint(maxLag)).Replace(`
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

// table makes groups with topics of partitions that are behind by lag messages
// each in every partition.
func groupTable(groups, topics, partitions int, lag int64) tencentcloud.StaticGroups {
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

// invocation measures a whole one, from exec to answer: 1,200 partitions polled,
// ten topics over the threshold, one message by robot, one by SMS and one by
// mail, all over TLS.
func (b *bench) invocation(ctx context.Context) ([]row, error) {
	groups := groupTable(1, 50, 24, 10)
	for i := range 10 {
		groups["group-000"][i].Partitions[0].End += 5000
	}
	cloud, env, err := b.cloud(ctx, groups, 2000)
	if err != nil {
		return nil, err
	}
	defer cloud.Close()
	var bare, whole sample
	for i := range runs {
		key := fmt.Sprintf("KEY%d", i) // a robot of its own: 20 messages a minute each
		cloud.WeCom.Add(key)
		text, err := os.ReadFile(env["TOCSIN_CONFIG"])
		if err != nil {
			return nil, err
		}
		path, err := b.write("run.yaml", strings.Replace(string(text), "key=KEY", "key="+key, 1))
		if err != nil {
			return nil, err
		}
		took, answer, _, err := b.once(ctx, "lag", tick, map[string]string{"TOCSIN_CONFIG": path, "SSL_CERT_FILE": env["SSL_CERT_FILE"], "SSL_CERT_DIR": env["SSL_CERT_DIR"]})
		if err != nil {
			return nil, err
		}
		if want := `{"polled":1,"alerts":10,"sent":3,"pending":0}`; string(answer) != want {
			return nil, fmt.Errorf("the whole invocation answered %s, want %s", answer, want)
		}
		whole = append(whole, took)
		if took, _, _, err = b.once(ctx, "bare", tick, nil); err != nil {
			return nil, err
		}
		bare = append(bare, took)
	}
	return []row{{"exec to answer: 1,200 partitions, 10 topics over, robot + SMS + mail over TLS", "lag " + whole.String(), "empty handler " + bare.String(),
		ratio(whole.median(), bare.median()), "10 ms"}}, nil
}

// poll measures one of 100 groups × 50 topics × 24 partitions, none over the
// threshold: requests, time, and the memory of the process.
func (b *bench) poll(ctx context.Context) ([]row, error) {
	cloud, env, err := b.cloud(ctx, groupTable(100, 50, 24, 10), 2000)
	if err != nil {
		return nil, err
	}
	defer cloud.Close()
	took, answer, memory, err := b.once(ctx, "lag", tick, env)
	if err != nil {
		return nil, err
	}
	if want := `{"polled":100,"alerts":0,"sent":0,"pending":0}`; string(answer) != want {
		return nil, fmt.Errorf("the poll answered %s, want %s", answer, want)
	}
	const pages = 102 // 2 of groups, 1 of topics for each group
	requests := cloud.Tencent.Count("")
	return []row{
		{"poll of 100 groups × 50 topics × 24 partitions: requests", fmt.Sprint(requests), fmt.Sprintf("%d pages", pages), ratio(requests, pages), "1.00"},
		{"  time, paced to 50 requests a second", ms(took), "the pace alone 1240.0 ms", ratio(took.Milliseconds(), 1240), ""},
		{"  peak memory of the process", fmt.Sprintf("%.1f MB", float64(memory)/1e6), "64.0 MB", fmt.Sprintf("%.2f", float64(memory)/64e6), "1.00"},
	}, nil
}

// posted is an alert as Prometheus posts it, behind a function URL.
const posted = `{"version":"2.0","routeKey":"$default","rawPath":"/api/v2/alerts","rawQueryString":"",
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

// hookStart measures the webhook function from exec to the answer to one alert,
// which by then is stored, on a new file, and said to a robot over TLS.
func (b *bench) hookStart(ctx context.Context) ([]row, error) {
	cloud, env, err := b.cloud(ctx, nil, 0)
	if err != nil {
		return nil, err
	}
	defer cloud.Close()
	var bare, hook sample
	var most int64
	for i := range runs {
		key := fmt.Sprintf("HOOK%d", i)
		cloud.WeCom.Add(key)
		config, err := b.write("hook.yaml", strings.NewReplacer("STATE", filepath.Join(b.work, key+".db"), "WECOM", cloud.WeComURL, "KEY", key).Replace(hookConfig))
		if err != nil {
			return nil, err
		}
		env["TOCSIN_CONFIG"] = config
		took, answer, memory, err := b.once(ctx, "webhook", []byte(posted), env)
		if err != nil {
			return nil, err
		}
		if said := len(cloud.WeCom.Inbox()); !strings.Contains(string(answer), `"statusCode":200`) || said != i+1 {
			return nil, fmt.Errorf("the webhook function answered %s, and %d messages were said of %d", answer, said, i+1)
		}
		hook, most = append(hook, took), max(most, memory)
		if took, _, _, err = b.once(ctx, "bare", tick, nil); err != nil {
			return nil, err
		}
		bare = append(bare, took)
	}
	return []row{
		{"exec to answer: one alert in, stored, said to a robot over TLS", "webhook " + hook.String(), "empty handler " + bare.String(), ratio(hook.median(), bare.median()), ""},
		{"  peak memory of the process", fmt.Sprintf("%.1f MB", float64(most)/1e6), "", "", ""},
	}, nil
}
