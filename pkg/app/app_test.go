package app_test

import (
	"strings"
	"testing"
	"time"

	"tocsin/pkg/app"
	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/localcloud/wecom"
)

// A group lags, still lags after a restart, and recovers: every channel is notified
// once, and of the end if it has send_resolved.
func TestLagIsNotifiedOnEveryChannel(t *testing.T) {
	ta := newTestApp(t)
	if got, want := ta.poll(at(0)), (app.Result{Polled: 1, Alerts: 1, Sent: 3}); got != want {
		t.Fatalf("got result %+v, want %+v\n%s", got, want, ta.logs)
	}
	robot, phone, mail := ta.delivered()
	if len(robot) != 1 || !strings.Contains(robot[0], "消费积压") {
		t.Errorf("got robot messages %q, want one about 消费积压", robot)
	}
	if len(phone) != 1 || phone[0] != "+8613800000000 【示例公司】消费积压告警：paid，请处理。" {
		t.Errorf("got short messages %q, want one to +8613800000000 about paid", phone)
	}
	if len(mail) != 2 || !strings.Contains(mail[0], "消费积压") {
		t.Errorf("got mails %q, want two about 消费积压", mail)
	}
	if text := ta.cloud.WeCom.Inbox()[0].Content; !strings.Contains(text, "5,000") || !strings.Contains(text, "2,000") || !strings.Contains(text, "paid") {
		t.Errorf("got robot message\n%s\nwant lag 5,000, threshold 2,000 and topic paid in it", text)
	}

	ta.stop()
	ta.start()
	for s := 60; s <= 600; s += 60 {
		if got, want := ta.poll(at(s)), (app.Result{Polled: 1, Alerts: 1}); got != want {
			t.Fatalf("after %d s in a new process: got result %+v, want %+v", s, got, want)
		}
	}
	ta.setLag(map[string]int64{"paid": 2000})
	if got, want := ta.poll(at(660)), (app.Result{Polled: 1, Sent: 1}); got != want {
		t.Fatalf("after recovery: got result %+v, want %+v", got, want)
	}
	ta.wantDelivered("2 robot, 1 phone, 2 mail")
}

func TestTopicsOfOneGroupShareAMessage(t *testing.T) {
	ta := newTestApp(t)
	topics := map[string]int64{}
	for _, name := range strings.Fields("a b c d e f g h i j") {
		topics[name] = 2001 + int64(name[0])
	}
	ta.setLag(topics)
	if got, want := ta.poll(at(0)), (app.Result{Polled: 1, Alerts: 10, Sent: 3}); got != want {
		t.Fatalf("got result %+v, want %+v\n%s", got, want, ta.logs)
	}
	ta.wantDelivered("1 robot, 1 phone, 2 mail")
}

// A failing channel affects itself only: its notification is retried or goes to the
// fallback, and nothing is delivered twice.
func TestChannelFailures(t *testing.T) {
	robot := func(do fault.Handler) func(*testApp) {
		return func(ta *testApp) { ta.cloud.WeCom.Inject(1, do) }
	}
	for _, test := range []struct {
		name    string
		inject  func(*testApp)
		repair  func(*testApp)
		first   string // delivered by the first invocation
		pending int
		after   string // delivered after two more, ten and twenty minutes later
		log     string // part of the log
	}{
		{
			name:   "robot busy",
			inject: robot(wecom.Reject(-1, "system busy")),
			first:  "0 robot, 1 phone, 2 mail", pending: 1, after: "1 robot, 1 phone, 2 mail", log: "system busy",
		}, {
			name:   "robot over its rate",
			inject: robot(wecom.Reject(45009, "api freq out of limit")),
			first:  "0 robot, 1 phone, 2 mail", pending: 1, after: "1 robot, 1 phone, 2 mail", log: "45009",
		}, {
			name:   "HTML from a proxy",
			inject: robot(fault.Respond(200, "text/html", "<html>please log in</html>")),
			first:  "0 robot, 1 phone, 2 mail", pending: 1, after: "1 robot, 1 phone, 2 mail", log: "please log in",
		}, {
			name:   "answer cut off, outcome unknown",
			inject: robot(fault.Truncate(`{"errcode":0,"errmsg":"ok"}`)),
			first:  "0 robot, 1 phone, 2 mail", pending: 1, after: "1 robot, 1 phone, 2 mail", log: "notification failed",
		}, {
			name:   "robot removed",
			inject: func(ta *testApp) { ta.cloud.WeCom.Remove("robot-secret-key") },
			first:  "0 robot, 1 phone, 3 mail", pending: 0, after: "0 robot, 1 phone, 3 mail", log: "93000",
		}, {
			name: "SMS package empty",
			inject: func(ta *testApp) {
				ta.cloud.Tencent.AddSMSApp(tencentcloud.SMSApp{ID: "1400000000", Signs: []string{"示例公司"}, ParamLimit: 20,
					Templates: []tencentcloud.SMSTemplate{{ID: "100", Text: "消费积压告警：{1}，请处理。"}}})
			},
			first: "1 robot, 0 phone, 3 mail", pending: 0, after: "1 robot, 0 phone, 3 mail", log: "InsufficientBalanceInSmsPackage",
		}, {
			name: "SMS answer cut off, outcome unknown",
			inject: func(ta *testApp) {
				ta.cloud.Tencent.Inject(tencentcloud.Fault{Action: "SendSms", Do: fault.Truncate(`{"Response":{"Result":{"TotalCount":1}}}`)})
			},
			first: "1 robot, 0 phone, 3 mail", pending: 0, after: "1 robot, 0 phone, 3 mail", log: "fallback",
		}, {
			name: "one bad recipient",
			inject: func(ta *testApp) {
				ta.cloud.SMTP.SetScript(smtp.Script{Recipients: map[string]smtp.Reply{"ops@example.com": {Code: 550, Text: "no such user"}}})
			},
			first: "1 robot, 1 phone, 2 mail", pending: 0, after: "1 robot, 1 phone, 2 mail", log: "no such user",
		}, {
			name: "SMTP refuses for now",
			inject: func(ta *testApp) {
				ta.cloud.SMTP.SetScript(smtp.Script{Data: smtp.Reply{Code: 451, Text: "try again later"}})
			},
			repair: func(ta *testApp) { ta.cloud.SMTP.SetScript(smtp.Script{}) },
			first:  "1 robot, 1 phone, 0 mail", pending: 1, after: "1 robot, 1 phone, 2 mail", log: "try again later",
		}, {
			name: "SMTP password wrong, and so at the fallback",
			inject: func(ta *testApp) {
				ta.cloud.SMTP.SetScript(smtp.Script{Auth: smtp.Reply{Code: 535, Text: "authentication failed"}})
			},
			repair: func(ta *testApp) { ta.cloud.SMTP.SetScript(smtp.Script{}) },
			first:  "1 robot, 1 phone, 0 mail", pending: 1, after: "1 robot, 1 phone, 2 mail", log: "dead letter",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			ta := newTestApp(t)
			test.inject(ta)
			answer := ta.poll(at(0))
			if got := ta.counts(); got != test.first || answer.Pending != test.pending {
				t.Errorf("first invocation: got %s, %d pending; want %s, %d pending\n%s", got, answer.Pending, test.first, test.pending, ta.logs)
			}
			if test.repair != nil {
				test.repair(ta)
			}
			ta.stop()
			ta.start()
			ta.poll(at(600))
			answer = ta.poll(at(1200))
			if got := ta.counts(); got != test.after || answer.Pending != 0 {
				t.Errorf("afterwards: got %s, %d pending; want %s, 0 pending\n%s", got, answer.Pending, test.after, ta.logs)
			}
			if !strings.Contains(ta.logs.String(), test.log) {
				t.Errorf("got log\n%s\nwant %q in it", ta.logs, test.log)
			}
		})
	}
}

// Two failed polls in a row are an alert with the remedy; alerts that fire keep
// firing, and the next success resolves it.
func TestPollFailures(t *testing.T) {
	for _, test := range []struct {
		name   string
		inject func(*testApp)
		repair func(*testApp)
		want   string // in the notification about the poll
	}{
		{
			name:   "wrong key",
			inject: func(ta *testApp) { ta.cloud.Tencent.SetKey("AKIDexample", tencentcloud.Key{Secret: "another"}) },
			repair: func(ta *testApp) {
				ta.cloud.Tencent.SetKey("AKIDexample", tencentcloud.Key{Secret: "cloud-secret-key"})
			},
			want: "AuthFailure.SignatureFailure",
		}, {
			name: "no permission",
			inject: func(ta *testApp) {
				ta.cloud.Tencent.SetKey("AKIDexample", tencentcloud.Key{Secret: "cloud-secret-key", Deny: []string{"ckafka:DescribeGroup"}})
			},
			repair: func(ta *testApp) {
				ta.cloud.Tencent.SetKey("AKIDexample", tencentcloud.Key{Secret: "cloud-secret-key"})
			},
			want: "ckafka:DescribeGroup",
		}, {
			name: "unknown instance",
			inject: func(ta *testApp) {
				ta.cloud.Tencent.AddInstance(tencentcloud.Instance{ID: "ckafka-1", Region: "ap-shanghai", Groups: tencentcloud.StaticGroups{}})
			},
			repair: func(ta *testApp) { ta.setLag(map[string]int64{"paid": 5000}) },
			want:   "ckafka-1",
		}, {
			name: "HTML from a proxy",
			inject: func(ta *testApp) {
				ta.cloud.Tencent.Inject(tencentcloud.Fault{Action: "DescribeGroup", Times: 6, Do: fault.Respond(502, "text/html", "<html>bad gateway</html>")})
			},
			want: "502",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			ta := newTestApp(t)
			ta.poll(at(0))
			test.inject(ta)
			if a := ta.poll(at(60)); a.Polled != 0 || a.Alerts != 1 || a.Sent != 0 {
				t.Fatalf("first failure: got %+v, want no message and one alert firing\n%s", a, ta.logs)
			}
			a := ta.poll(at(120))
			inbox := ta.cloud.WeCom.Inbox()
			if a.Alerts != 2 || len(inbox) != 2 {
				t.Fatalf("second failure: got %+v and %d messages in the group, want 2 alerts and 2 messages\n%s", a, len(inbox), ta.logs)
			}
			if text := inbox[1].Content; !strings.Contains(text, test.want) {
				t.Errorf("got message\n%s\nwant %q in it", text, test.want)
			}
			if test.repair != nil {
				test.repair(ta)
			}
			a = ta.poll(at(180))
			inbox = ta.cloud.WeCom.Inbox()
			if a.Alerts != 1 || a.Polled != 1 || len(inbox) != 3 {
				t.Fatalf("success: got %+v and %d messages, want the lag firing and a third message about the resolved failure\n%s", a, len(inbox), ta.logs)
			}
		})
	}
}

// With two seconds until the platform's deadline, a robot or an API that hangs does
// not delay the answer, and the notification stays pending.
func TestDeadlineIsKept(t *testing.T) {
	ta := newTestApp(t)
	ta.cloud.WeCom.Inject(1, fault.Hang)
	begin := time.Now()
	if a := ta.pollFor(at(0), 2*time.Second); a.Pending != 1 || a.Alerts != 1 {
		t.Errorf("robot hangs: got %+v, want 1 pending and 1 alert\n%s", a, ta.logs)
	}
	if took := time.Since(begin); took >= 2*time.Second {
		t.Errorf("got an answer after %v, want less than 2s", took)
	}
	ta.cloud.Tencent.Inject(tencentcloud.Fault{Action: "DescribeGroup", Do: fault.Hang})
	if a := ta.pollFor(at(600), 2*time.Second); a.Sent != 1 || a.Pending != 0 || a.Alerts != 1 {
		t.Errorf("API hangs: got %+v, want 1 sent, 0 pending and 1 alert\n%s", a, ta.logs)
	}
	ta.wantDelivered("1 robot, 1 phone, 2 mail")
}
