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

// TestPage checks that messages are shown as their readers see them, newest first, and
// cannot add markup to the page.
func TestPage(t *testing.T) {
	at := time.Date(2026, 11, 20, 23, 5, 10, 0, time.UTC)
	var seen []inbox.Entry
	b := inbox.New(func() time.Time { return at }, func(e inbox.Entry) { seen = append(seen, e) })
	b.Add(tencentcloud.SMS{Number: "+8613800000000", Text: "【示例公司】<b>5</b>"}.Entry())
	b.Add(wecom.Message{Type: "markdown", Content: "**<font color=\"warning\">告警</font>** <script>x</script>\n> `a` [来源](https://example.com/?a=1) <@u1>"}.Entry())
	b.Add(smtp.Mail{To: []string{"ops@example.com"}, Subject: "[告警] <i>", Text: "t", HTML: `<p onload="x">"`}.Entry())
	if len(seen) != 3 || seen[1].Text != "告警 <script>x</script>\n  a 来源 (https://example.com/?a=1) @u1" {
		t.Errorf("got %+v, want three entries without markup", seen)
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
			t.Errorf("got a page without %s:\n%s", want, page)
		}
	}
	if strings.Index(page, "[告警]") > strings.Index(page, "SMS") {
		t.Error("got the oldest message first, want the newest")
	}
	w = httptest.NewRecorder()
	if b.ServeHTTP(w, httptest.NewRequest("GET", "/other", nil)); w.Code != 404 {
		t.Errorf("got %d from another path, want 404", w.Code)
	}
}

// TestImages checks that images in a group and inside a mail are shown, and that the
// page's policy allows them.
func TestImages(t *testing.T) {
	var seen []inbox.Entry
	b := inbox.New(func() time.Time { return time.Unix(0, 0) }, func(e inbox.Entry) { seen = append(seen, e) })
	image := []byte("\x89PNG\r\n\x1a\n")
	b.Add(wecom.Message{Type: "image", Image: image}.Entry())
	b.Add(smtp.Mail{HTML: `<img src="cid:a@example.com"><img src="cid:b@example.com">`, Inline: map[string]smtp.Inline{"a@example.com": {Type: "image/png", Content: image}}}.Entry())
	if len(seen) != 2 || seen[0].Text != "[a picture of 8 bytes]" {
		t.Errorf("got %+v, want two entries", seen)
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	for _, want := range []string{
		`<img src="data:image/png;base64,iVBORw0KGgo=">`,
		`srcdoc="&lt;img src=&#34;data:image/png;base64,iVBORw0KGgo=&#34;&gt;&lt;img src=&#34;cid:b@example.com&#34;&gt;"`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("got a page without %s:\n%s", want, w.Body)
		}
	}
	if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "img-src data:;") {
		t.Errorf("got policy %q, want images from data URLs", policy)
	}
}
