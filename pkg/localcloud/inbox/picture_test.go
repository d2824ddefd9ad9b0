package inbox_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/inbox"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/localcloud/wecom"
)

// Pictures are shown, in a group and inside a mail, and the page's policy lets
// them be.
func TestPictures(t *testing.T) {
	var told []inbox.Entry
	b := inbox.New(func() time.Time { return time.Unix(0, 0) }, func(e inbox.Entry) { told = append(told, e) })
	picture := []byte("\x89PNG\r\n\x1a\n")
	b.Add(wecom.Message{Type: "image", Image: picture}.Entry())
	b.Add(smtp.Mail{HTML: `<img src="cid:a@example.com"><img src="cid:b@example.com">`, Inline: map[string]smtp.Inline{"a@example.com": {Type: "image/png", Content: picture}}}.Entry())
	if len(told) != 2 || told[0].Text != "[a picture of 8 bytes]" {
		t.Errorf("%+v", told)
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	for _, want := range []string{
		`<img src="data:image/png;base64,iVBORw0KGgo=">`,
		`srcdoc="&lt;img src=&#34;data:image/png;base64,iVBORw0KGgo=&#34;&gt;&lt;img src=&#34;cid:b@example.com&#34;&gt;"`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "img-src data:;") {
		t.Error(policy)
	}
}
