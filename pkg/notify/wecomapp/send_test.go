package wecomapp

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/wecom"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
)

// sendOne says one alert to u1 and returns what became of it.
func sendOne(t *testing.T, ctx context.Context, to notify.Notifier) *notify.Error {
	t.Helper()
	return notifytest.SendOne(t, ctx, to, notifytest.Notification(notifytest.OneTopic()...), secret, firstToken)
}

// firstToken is the first token of the local office's application:
// printf %s ww0123456789abcdef/s3cr3t-Qm9vdHN0cmFwLXNlY3JldA-_0/1 | sha256sum
const firstToken = "decaf3dd958a38ba87c646f8b0401873f7194c2f9eaf422e386b54bc69ca38ff"

// WeCom takes a message that it can deliver to anybody. Who did not get it is
// told to the operator, and is not tried again.
func TestPartlyDelivered(t *testing.T) {
	o := newOffice(t, "zh")
	messages, err := o.notifier(t, Config{ToUser: "u1,U2,u3,Ghost,<@all>", ToParty: "7,8", ToTag: "9|10"}).Messages(notifytest.Notification(notifytest.OneTopic()...))
	if err != nil || len(messages) != 1 {
		t.Fatalf("%d messages, %v", len(messages), err)
	}
	want := map[string]string{
		"1/1 u1": "", "1/1 U2": "", "1/1 party 7": "", "1/1 tag 9": "",
		"1/1 u3":      "no licence was bought for user u3",
		"1/1 Ghost":   "WeCom knows no user Ghost",
		"1/1 party 8": "WeCom knows no department 8",
		"1/1 tag 10":  "WeCom knows no tag 10",
		"<@all>":      `"<@all>" is no recipient`,
	}
	outcomes := messages[0].Send(t.Context())
	if len(outcomes) != len(want) || len(messages[0].Units) != len(want) {
		t.Errorf("units %v, outcomes %v", messages[0].Units, outcomes)
	}
	for i, o := range outcomes {
		says, ok := want[o.Unit]
		if !ok || o.Unit != messages[0].Units[i] || (o.Err == nil) != (says == "") {
			t.Errorf("%s: %v", o.Unit, o.Err)
		}
		if o.Err != nil && (notify.AsError(o.Err).Class != notify.Permanent || !strings.Contains(o.Err.Error(), says)) {
			t.Errorf("%s: %v", o.Unit, o.Err)
		}
	}
	if got := o.Inbox(); len(got) != 1 || !slices.Equal(got[0].Users, []string{"u1", "U2"}) {
		t.Errorf("%+v", got)
	}
}

// An attempt after one whose answer was lost is not read twice.
func TestSentOnceAfterLostAnswer(t *testing.T) {
	o := newOffice(t, "zh")
	to := o.notifier(t, Config{})
	o.Fail(wecom.SendPath, 1, fault.DropAfterAccept)
	if err := sendOne(t, t.Context(), to); err == nil || !err.Ambiguous || err.Class != notify.Retry {
		t.Fatalf("%+v", err)
	}
	o.now = o.now.Add(4 * time.Minute)
	if err := sendOne(t, t.Context(), to); err != nil || len(o.Inbox()) != 1 || o.Dropped() != 1 {
		t.Errorf("%v: %d messages, %d dropped", err, len(o.Inbox()), o.Dropped())
	}
}
