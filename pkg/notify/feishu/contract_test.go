package feishu

import (
	"fmt"
	"html"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
	server "tocsin/pkg/localcloud/feishu"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

func TestContract(t *testing.T) {
	const message = `{{ .CommonLabels.alertname }} {{ range .Alerts }}{{ .Annotations.summary }}
{{ .Labels.topic }} [source]({{ .GeneratorURL }})
{{ .Annotations.summary }}{{ end }}{{ template "feishu.default" . }}`
	ownText := func(c *Config) {
		c.Message, c.Title = message, "{{ .CommonLabels.alertname }} {{ .CommonAnnotations.summary }}"
	}
	refuseCard := func(v *notifytest.Vendor[*Config]) { v.Inject(1, server.Reject(200, 11310, "")) }
	notifytest.Run(t, notifytest.Channel[*Config]{
		Start:       startVendor,
		Kind:        notify.Kind{Name: "feishu", SendResolved: true, Quotas: []notify.Quota{{Messages: 100, Per: time.Minute}, {Messages: 5, Per: time.Second}}},
		Target:      "feishu/323a3496",
		Secrets:     []string{token, secret},
		Errors:      vendorErrors(),
		Limit:       20000,
		SplitAlerts: 900,
		Templates: []notifytest.TemplateCase[*Config]{
			{Key: "message", Set: func(c *Config, s string) { c.Message = s }, EmptyFails: true},
			{Key: "title", Set: func(c *Config, s string) { c.Title = s }},
			{Key: "at.open_ids[0]", Set: func(c *Config, s string) { c.At.OpenIDs = []string{s} }},
			{Key: "url", Set: func(c *Config, s string) { c.URL += setting.Secret("?x=" + s) }, OnFailure: notifytest.Permanent},
		},
		Variants: []notifytest.Variant[*Config]{
			{Name: "message", Change: ownText},
			{Name: "text after a refused card", Change: func(*Config) {}, BeforeSend: refuseCard},
			{Name: "message as text after a refused card", Change: ownText, BeforeSend: refuseCard},
			{Name: "half size", Change: func(*Config) {}, HalfSize: true},
		},
	})
}

func startVendor(t *testing.T) *notifytest.Vendor[*Config] {
	t.Helper()
	g := newGroup(t, "zh")
	bodies := notifytest.RecordBodies(g.Env)
	return &notifytest.Vendor[*Config]{
		Env: g.Env, Config: &Config{URL: setting.Secret(g.address), Secret: secret}, Fake: g.Server,
		Inject: g.Inject, Requests: g.Calls, BeforeSend: func() { g.Advance(time.Second) },
		Received: notifytest.ReceivedFrom(g.Inbox, func(i int, m server.Message) notifytest.Received {
			r := notifytest.Received{Text: m.Title + "\n" + html.UnescapeString(m.Content), Mentions: m.Mentions, Markup: countMarkup(m)}
			if i < len(*bodies) {
				r.Size = len((*bodies)[i])
			}
			return r
		}),
	}
}

// vendorErrors are the vendor's codes and its responses that are not as
// documented. A card that is refused for its content is sent again as a text.
func vendorErrors() []notifytest.ErrorCase[*Config] {
	type errorCase = notifytest.ErrorCase[*Config]
	var cases []errorCase
	for _, c := range []struct {
		status, code int
		text         string
		class        notify.Class
		requests     int
		message      string
	}{
		{400, 9499, "too many request", notify.Rate, 1, "5 messages in a second"},
		{200, 9499, "frequency limited", notify.Rate, 1, "5 messages in a second"},
		{400, 9499, "Bad Request", notify.Permanent, 1, "cannot parse the request"},
		{200, 9499, "Bad Request", notify.Permanent, 1, "cannot parse the request"},
		{200, 11232, "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]", notify.Rate, 1, "busy"},
		{200, 19001, "param invalid: incoming webhook access token invalid", notify.Permanent, 1, "put its address under url"},
		{200, 19002, "params error, msg_type need", notify.Permanent, 1, "form"},
		{200, 19021, "sign match fail or timestamp is not within one hour from current time", notify.Permanent, 1, "clock"},
		{200, 19022, "Ip Not Allowed", notify.Permanent, 1, "IP whitelist"},
		{200, 19024, "Key Words Not Found", notify.Permanent, 1, "keywords"},
		{200, 19036, "the request exceeds the size limit of 30KB", notify.TooLong, 1, "too long"},
		{200, 11246, "ErrCode: 100000; ErrMsg: card content is too large; ", notify.TooLong, 1, "too long"},
		{200, 11246, "ErrCode: 100290; ErrMsg: there is an invalid user resource (at/person) in your card; ", notify.Permanent, 2, "refuses the card"},
		{200, 11246, "ErrCode: 200861; ErrMsg: cards of schema V2 no longer support this capability; ", notify.Permanent, 2, "refuses the card"},
		{200, 11246, "ErrCode: 200621; ErrMsg: parse card json err; ", notify.Permanent, 2, "refuses the card"},
		{200, 11246, "", notify.Permanent, 2, "refuses the card"},
		{200, 11310, "card table number over limit", notify.Permanent, 2, "refuses the content of the card"},
		{200, 230099, "Failed to create card content", notify.Permanent, 2, "refuses the content of the card"},
		{429, 99991400, "request trigger frequency limit", notify.Rate, 1, "slow down"},
		{200, 77777, "something new", notify.Retry, 1, "refuses the message"},
		{400, 77777, "something new", notify.Permanent, 1, "refuses the request"},
		{500, 77777, "something new", notify.Retry, 1, "the server failed"},
	} {
		want := &notify.Error{Class: c.class, Code: fmt.Sprint(c.code), Ambiguous: c.status == 500, Message: c.message}
		if c.code == 77777 && c.status != 200 {
			want.Code = fmt.Sprint("HTTP ", c.status)
		}
		cases = append(cases, errorCase{Name: fmt.Sprintf("status %d, code %d %s", c.status, c.code, c.text),
			Fault: server.Reject(c.status, c.code, c.text), Times: c.requests, Want: want, Contains: []string{strings.TrimSpace(c.text)}})
	}
	response := func(body string) fault.Handler { return fault.Respond(200, "application/json", body) }
	foreign := &notify.Error{Class: notify.Retry, Ambiguous: true, Message: "no code"}
	for header, after := range map[string]time.Duration{"7": 7 * time.Second, "": 0, "x": 0, "-1": 0, "999999999": time.Hour} {
		cases = append(cases, errorCase{Name: fmt.Sprintf("rate limit that resets after %q", header),
			Fault: fault.Respond(429, "application/json", `{"code":99991400,"msg":"request trigger frequency limit"}`, "x-ogw-ratelimit-reset", header),
			Want:  &notify.Error{Class: notify.Rate, Code: "99991400", RetryAfter: after}})
	}
	return append(cases,
		errorCase{Name: "JSON without a code", Fault: response(`{"errcode":0,"msg":"ok"}`), Want: foreign},
		errorCase{Name: "null", Fault: response(`null`), Want: foreign},
		errorCase{Name: "code is a string", Fault: response(`{"code":"0"}`),
			Want: &notify.Error{Class: notify.Retry, Ambiguous: true, Code: "HTTP 200", Message: "not the vendor's JSON"}},
		errorCase{Name: "status 404 with code 0", Fault: fault.Respond(404, "application/json", `{"code":0}`),
			Want: &notify.Error{Class: notify.Permanent, Code: "HTTP 404", Message: "refuses the request"}},
		errorCase{Name: "older error without a code", Fault: response(`{"StatusCode":19024,"StatusMessage":"Key Words Not Found"}`),
			Want: &notify.Error{Class: notify.Permanent, Code: "19024", Message: "keywords"}},
		errorCase{Name: "older success without a code", Fault: response(`{"StatusCode":0,"StatusMessage":"success"}`)},
		errorCase{Name: "older success", Fault: response(`{"Extra":null,"StatusCode":0,"StatusMessage":"success","code":0}`)},
		errorCase{Name: "long msg", Fault: server.Reject(200, 19002, strings.Repeat("长", 9999)),
			Want: &notify.Error{Class: notify.Permanent, Code: "19002", Message: "…"}},
		errorCase{Name: "token in msg", Fault: server.Reject(200, 19001, "bad "+token),
			Want: &notify.Error{Class: notify.Permanent, Code: "19001", Message: "bad <secret>"}},
	)
}

// countMarkup counts what Feishu could take for markup, in a card or in the text
// that stands in for it.
func countMarkup(m server.Message) map[string]int {
	if m.Type == "text" {
		return map[string]int{"tags in a text": strings.Count(m.Content, "<")}
	}
	text := m.Content
	for link := range strings.SplitSeq(text, "](") { // addresses may have any of these
		if strings.HasPrefix(link, "http") {
			address, _, _ := strings.Cut(link, ")")
			text = strings.Replace(text, address, "", 1)
		}
	}
	count := map[string]int{
		"tags in a title": strings.Count(m.Title, "<"),
		"tags":            strings.Count(text, "<"),
		"code":            strings.Count(text, "`"),
		"stars":           strings.Count(text, "*"),
		"underlines":      strings.Count(text, "_"),
		"tildes":          strings.Count(text, "~"),
		"links":           strings.Count(text, "]("),
		"images":          strings.Count(text, "!["),
		"escapes":         strings.Count(text, `\`) + strings.Count(text, ">"),
	}
	for part := range strings.SplitSeq(text, ":") {
		if part == "OK" || part == "THUMBSUP" {
			count["emoji"]++
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if line != "" && strings.Contains("-+#", line[:1]) || strings.HasPrefix(line, "1.") || strings.HasPrefix(line, "2)") {
			count["line openers"]++
		}
	}
	return count
}

// Escaping a text does not change how a reader sees it.
func TestReaderSeesHostileTextAsItIs(t *testing.T) {
	v := startVendor(t)
	to, skip := notifytest.New(t, v.Config, v.Env), 0
	for _, word := range notifytest.Hostile {
		notifytest.SendAll(t, to, notifytest.HostileNotification(word, 1, "3000"), v.BeforeSend)
		want := strings.Join(strings.Fields(strings.Map(visible, word)), " ")
		received := v.Received(skip)
		skip += len(received)
		if got := received[0].Text; !strings.Contains(got, want) && len(received) == 1 { // parts cut long words
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
}

// visible maps a character of a text to what one line of it can have.
func visible(r rune) rune {
	switch {
	case r == '\n' || r == '\r' || r == '\u2028':
		return ' '
	case r < ' ' || r == '\u202e' || r == '\ufffd':
		return -1
	}
	return r
}
