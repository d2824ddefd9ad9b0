package inbox_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/inbox"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/localcloud/wecom"
)

// What channels delivered is shown as its reader sees it, newest first, and
// nothing of it is markup of the page.
func TestPage(t *testing.T) {
	at := time.Date(2026, 11, 20, 23, 5, 10, 0, time.UTC)
	var told []inbox.Entry
	b := inbox.New(func() time.Time { return at }, func(e inbox.Entry) { told = append(told, e) })
	b.Add(tencentcloud.SMS{Number: "+8613800000000", Text: "【示例公司】<b>5</b>"}.Entry())
	b.Add(wecom.Message{Type: "markdown", Content: "**<font color=\"warning\">告警</font>** <script>x</script>\n> `a` [来源](https://example.com/?a=1) <@u1>"}.Entry())
	b.Add(smtp.Mail{To: []string{"ops@example.com"}, Subject: "[告警] <i>", Text: "t", HTML: `<p onload="x">"`}.Entry())
	if len(told) != 3 || told[1].Text != "告警 <script>x</script>\n  a 来源 (https://example.com/?a=1) @u1" {
		t.Errorf("told %+v", told)
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	page := w.Body.String()
	for _, want := range []string{
		"23:05:10 · SMS · &#43;8613800000000", "&lt;b&gt;5&lt;/b&gt;",
		`<b><span class="warning">告警</span></b> &lt;script&gt;x&lt;/script&gt;`, `<a href="https://example.com/?a=1">来源</a>`, `<span class="mention">@u1</span>`,
		"<h2>[告警] &lt;i&gt;</h2>", `srcdoc="&lt;p onload=&#34;x&#34;&gt;&#34;"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Index(page, "[告警]") > strings.Index(page, "SMS") {
		t.Error("the newest is not first")
	}
	w = httptest.NewRecorder()
	if b.ServeHTTP(w, httptest.NewRequest("GET", "/other", nil)); w.Code != 404 {
		t.Errorf("another path: %d", w.Code)
	}
}
