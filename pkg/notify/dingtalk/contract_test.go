package dingtalk

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	server "tocsin/pkg/localcloud/dingtalk"
	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

func TestContract(t *testing.T) {
	const message = `{{ .CommonLabels.alertname }} {{ range .Alerts }}{{ .Annotations.summary }}
{{ .Labels.topic }} [source]({{ .GeneratorURL }})
{{ end }}{{ template "dingtalk.default" . }}`
	at := At{Mobiles: []string{"13800000000"}}
	notifytest.Run(t, notifytest.Channel[*Config]{
		Start:       startVendor,
		Kind:        notify.Kind{Name: "dingtalk", SendResolved: true, Quotas: []notify.Quota{{Messages: 18, Per: time.Minute}}},
		Target:      "dingtalk/f6181fb9",
		Secrets:     []string{token, secret, "sign=", url.QueryEscape(signature)},
		Errors:      vendorErrors(),
		Limit:       20000,
		SplitAlerts: 900,
		Templates: []notifytest.TemplateCase[*Config]{
			{Key: "message", Set: func(c *Config, s string) { c.Message = s }, EmptyFails: true},
			{Key: "title", Set: func(c *Config, s string) { c.Title = s }},
			{Key: "at.mobiles[0]", Set: func(c *Config, s string) { c.At.Mobiles = []string{s} }},
			{Key: "at.users[0]", Set: func(c *Config, s string) { c.At.Users = []string{s} }},
			{Key: "url", Set: func(c *Config, s string) { c.URL += setting.Secret("&x=" + s) }, OnFailure: notifytest.Permanent},
		},
		Variants: []notifytest.Variant[*Config]{
			{Name: "mention", Change: func(c *Config) { c.At = at }},
			{Name: "message", Change: func(c *Config) { c.At, c.Message, c.Title = at, message, "{{ .CommonLabels.alertname }}" }},
			{Name: "text", Change: func(c *Config) { c.At, c.Type = at, "text" }, Splits: true},
			{Name: "message as text", Change: func(c *Config) { c.At, c.Type, c.Message = at, "text", message }},
			{Name: "half size", Change: func(c *Config) { c.At = at }, HalfSize: true},
		},
	})
}

func startVendor(t *testing.T) *notifytest.Vendor[*Config] {
	t.Helper()
	g := newGroup(t, "zh")
	bodies := notifytest.RecordBodies(g.Env)
	return &notifytest.Vendor[*Config]{
		Env: g.Env, Config: &Config{URL: setting.Secret(g.address), Secret: secret}, Fake: g.Server,
		Inject: g.Inject, Requests: g.Calls,
		BeforeSend: func() { g.Advance(lockout + time.Minute) },
		Received: notifytest.ReceivedFrom(g.Inbox, func(i int, m server.Message) notifytest.Received {
			r := notifytest.Received{Text: m.Title + "\n" + m.Text, Mentions: slices.Concat(m.Mobiles, m.Users), Markup: countMarkup(m)}
			if m.All {
				r.Mentions = append(r.Mentions, "all")
			}
			if i < len(*bodies) {
				r.Size = len((*bodies)[i])
			}
			return r
		}),
	}
}

// vendorErrors are the vendor's errcodes, the responses of the limiter in front of it, and
// responses that are not as documented.
func vendorErrors() []notifytest.ErrorCase[*Config] {
	type errorCase = notifytest.ErrorCase[*Config]
	const current, old = "错误描述:%s;解决方案:…;", "%s, more: [https://ding-doc.dingtalk.com/doc#/serverapi2/qf2nxq]"
	code := notifytest.Code
	cases := notifytest.CodeErrors[*Config]("DingTalk", server.Reject, []notifytest.VendorCode{
		code(-1, "系统繁忙", notify.Retry, 0, "DingTalk is busy"),
		code(130101, "send too fast, exceed 20 times per minute", notify.Rate, 10*time.Minute, "20 messages"),
		code(410100, "错误描述:发送速度太快而限流;解决方案:请降低发送速度;", notify.Rate, 10*time.Minute, "20 messages"),
		code(310000, fmt.Sprintf(old, "keywords not in content"), notify.Permanent, 0, "keywords: put one into message"),
		code(310000, fmt.Sprintf(current, "关键词不匹配"), notify.Permanent, 0, "keywords: put one into message"),
		code(310000, fmt.Sprintf(old, "sign not match"), notify.Permanent, 0, "put it under secret"),
		code(310000, "错误描述:机器人发送签名不匹配;解决方案:请确认签名和生成签名的时间戳必须都放在调用的网址中", notify.Permanent, 0, "put it under secret"),
		code(310000, fmt.Sprintf(old, "invalid timestamp"), notify.Permanent, 0, "set the clock"),
		code(310000, "description:机器人发送签名过期;solution:签名生成时间和发送时间请保持在 timestampms 以内;", notify.Permanent, 0, "set the clock"),
		code(310000, fmt.Sprintf(old, "ip 192.0.2.1 not in whitelist"), notify.Permanent, 0, "address is not among those"),
		code(310000, fmt.Sprintf(current, "ip 不在白名单中"), notify.Permanent, 0, "address is not among those"),
		code(310000, "something new", notify.Permanent, 0, "security settings"),
		code(400101, "access_token不存在", notify.Permanent, 0, "put it under url"),
		code(300001, "token is not exist", notify.Permanent, 0, "put it under url"),
		code(300001, "send too fast", notify.Rate, 10*time.Minute, "too much"),
		code(300001, "频率超限", notify.Rate, 10*time.Minute, "too much"),
		code(300005, "token is not exist", notify.Permanent, 0, "put it under url"),
		code(400013, "群已被解散", notify.Permanent, 0, "group was dissolved"),
		code(400102, "机器人已停用", notify.Permanent, 0, "was stopped"),
		code(400105, "不支持的消息类型", notify.Permanent, 0, "type of message"),
		code(400106, "机器人不存在", notify.Permanent, 0, "not in the group"),
		code(430101, "含有不安全的外链", notify.TooLong, 0, "unsafe"),
		code(430102, "含有不合适的文本", notify.TooLong, 0, "unsafe"),
		code(430103, "含有不合适的图片", notify.TooLong, 0, "unsafe"),
		code(430104, "含有不合适的内容", notify.TooLong, 0, "unsafe"),
		code(460101, "message too long, exceed 20000 bytes", notify.TooLong, 0, "too long"),
		code(101002, "message is too long", notify.TooLong, 0, "too long"),
		code(40035, "缺少参数 access_token", notify.Permanent, 0, "has an access_token"),
		code(43002, "需要POST请求", notify.Permanent, 0, "proxy in between"),
		code(43004, "无效的HTTP HEADER Content-Type", notify.Permanent, 0, "proxy in between"),
		code(88, "鉴权异常", notify.Permanent, 0, "does not let the call through"),
		code(90018, "您的服务器调用钉钉开放平台当前接口的所有请求都被暂时禁用了", notify.Rate, time.Minute, "too many calls"),
		code(500100, "错误描述:系统异常,请稍后再试;", notify.Retry, 0, "refuses"),
	})
	response := func(body string) fault.Handler { return fault.Respond(200, "application/json", body) }
	notJSON := &notify.Error{Class: notify.Retry, Ambiguous: true, Code: "HTTP 200", Message: "not the vendor's JSON"}
	limited := &notify.Error{Class: notify.Rate, Code: "1111", RetryAfter: 5 * time.Minute, Message: "this machine's address"}
	return append(append(cases, notifytest.ErrcodeErrors[*Config](server.Reject)...),
		errorCase{Name: "limiter of addresses", Fault: server.RejectAddress, Want: limited},
		errorCase{Name: "limiter of addresses with status 403", Fault: fault.Respond(403, "application/json", `{"status":1111,"wait":5,"source":"x5","punish":"deny"}`), Want: limited},
		errorCase{Name: "limiter of addresses as a page", Fault: fault.Respond(200, "text/html", "<html>deny</html>"), Want: notJSON},
		errorCase{Name: "errcode is null", Fault: response(`{"errcode":null,"errmsg":"ok"}`),
			Want: &notify.Error{Class: notify.Retry, Ambiguous: true, Message: "no errcode"}},
		errorCase{Name: "errcode is a word", Fault: response(`{"errcode":"ok"}`), Want: notJSON},
		errorCase{Name: "errcode 0 as a string", Fault: response(`{"errcode":"0","errmsg":"ok"}`)},
		errorCase{Name: "errcode 400102 as a string", Fault: response(`{"errcode":"400102"}`),
			Want: &notify.Error{Class: notify.Permanent, Code: "400102", Message: "was stopped"}},
		errorCase{Name: "sub code of the rate", Fault: response(`{"errcode":88,"sub_code":"90018","sub_msg":"QPS","errmsg":"ding talk error"}`),
			Want: &notify.Error{Class: notify.Rate, Code: "88", RetryAfter: time.Minute, Message: `DingTalk answered "QPS"`}},
		errorCase{Name: "sub code as a number", Fault: response(`{"errcode":88,"sub_code":90018}`),
			Want: &notify.Error{Class: notify.Rate, Code: "88", RetryAfter: time.Minute, Message: "too many calls"}},
		errorCase{Name: "other sub code", Fault: response(`{"errcode":88,"sub_code":"60011","sub_msg":"没有调用该接口的权限"}`),
			Want: &notify.Error{Class: notify.Permanent, Code: "88", Message: `DingTalk answered "没有调用该接口的权限"`}},
		errorCase{Name: "status 400 with an errcode", Fault: fault.Respond(400, "application/json", `{"errcode":-1}`),
			Want: &notify.Error{Class: notify.Retry, Code: "-1", Message: "DingTalk is busy"}},
		errorCase{Name: "address in errmsg",
			Fault: func(w http.ResponseWriter, r *http.Request, _ func()) {
				server.Reject(-1, "bad "+r.URL.String()+" "+token+" "+r.URL.Query().Get("sign"))(w, r, nil)
			},
			Want: &notify.Error{Class: notify.Retry, Code: "-1", Message: "bad <secret> <secret> <secret>"}},
	)
}

// A message that follows one found unsafe has nothing that a client makes a link
// of.
func TestHalfSizeHasNoLinks(t *testing.T) {
	v := startVendor(t)
	to := notifytest.New(t, v.Config, v.Env)
	for _, word := range notifytest.Hostile {
		n := notifytest.HostileNotification(word, 2, "")
		n.HalfSize = true
		notifytest.SendAll(t, to, n, v.BeforeSend)
	}
	for _, r := range v.Received(0) {
		if strings.Contains(r.Text, "://") {
			t.Errorf("got a link in %q, want none", r.Text)
		}
	}
}

// countMarkup counts what DingTalk could take for markup; in a text that is only
// "@".
func countMarkup(m server.Message) map[string]int {
	text := m.Title + "\n" + m.Text
	count := map[string]int{"mention signs": strings.Count(text, "@"), "carriage returns": strings.Count(text, "\r")}
	if m.Type == "text" {
		return count
	}
	count["tags"] = strings.Count(text, "<")
	count["code"] = strings.Count(text, "`")
	count["backslashes"] = strings.Count(text, `\`)
	count["emphasis"] = strings.Count(text, "*") + strings.Count(text, "~") + countOuterUnderscores(text)
	count["links"] = strings.Count(text, "](") + strings.Count(text, "][")
	for line := range strings.SplitSeq(m.Text, "\n") {
		line = strings.TrimSpace(line)
		for line != "" && strings.ContainsRune(">#-+=[", rune(line[0])) {
			count["line openers"]++
			line = strings.TrimSpace(line[1:])
		}
		if digits := strings.TrimLeft(line, "0123456789"); digits != line && (strings.HasPrefix(digits, ". ") || strings.HasPrefix(digits, ") ") || digits == "." || digits == ")") {
			count["line openers"]++
		}
	}
	return count
}

// countOuterUnderscores counts "_" that is not between two letters or digits.
func countOuterUnderscores(text string) int {
	n := 0
	letter := func(i int) bool {
		return i >= 0 && i < len(text) && text[i] < 0x80 && (unicode.IsLetter(rune(text[i])) || unicode.IsDigit(rune(text[i])))
	}
	for i := range len(text) {
		if text[i] == '_' && !(letter(i-1) && letter(i+1)) {
			n++
		}
	}
	return n
}
