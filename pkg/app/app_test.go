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

// A group falls behind, stays behind over the end of the process, and recovers:
// everybody is told once, and the end is told to those who want ends.
func TestLagFromPollToPhone(t *testing.T) {
	w := newWorld(t)
	if got, want := w.run(at(0)), (app.Answer{Polled: 1, Alerts: 1, Sent: 3}); got != want {
		t.Fatalf("answer %+v, want %+v\n%s", got, want, w.logs)
	}
	robot, phone, mail := w.delivered()
	if len(robot) != 1 || !strings.Contains(robot[0], "消费积压") {
		t.Errorf("robot: %q", robot)
	}
	if len(phone) != 1 || phone[0] != "+8613800000000 【示例公司】消费积压告警：paid，请处理。" {
		t.Errorf("phone: %q", phone)
	}
	if len(mail) != 2 || !strings.Contains(mail[0], "消费积压") {
		t.Errorf("mail: %q", mail)
	}
	if text := w.cloud.WeCom.Inbox()[0].Content; !strings.Contains(text, "5,000") || !strings.Contains(text, "2,000") || !strings.Contains(text, "paid") {
		t.Errorf("the robot's message lacks lag, threshold or topic:\n%s", text)
	}

	w.stop()
	w.start()
	for s := 60; s <= 600; s += 60 {
		if got, want := w.run(at(s)), (app.Answer{Polled: 1, Alerts: 1}); got != want {
			t.Fatalf("after %d s in a new process: answer %+v, want %+v", s, got, want)
		}
	}
	w.lag(map[string]int64{"paid": 2000})
	if got, want := w.run(at(660)), (app.Answer{Polled: 1, Sent: 1}); got != want {
		t.Fatalf("recovered: answer %+v, want %+v", got, want)
	}
	if got := w.counts(); got != "2 robot, 1 phone, 2 mail" {
		t.Errorf("in the end: %s", got)
	}
}

// Many topics of one group are one message.
func TestManyTopicsAreOneMessage(t *testing.T) {
	w := newWorld(t)
	topics := map[string]int64{}
	for _, name := range strings.Fields("a b c d e f g h i j") {
		topics[name] = 2001 + int64(name[0])
	}
	w.lag(topics)
	if got, want := w.run(at(0)), (app.Answer{Polled: 1, Alerts: 10, Sent: 3}); got != want {
		t.Fatalf("answer %+v, want %+v\n%s", got, want, w.logs)
	}
	if got := w.counts(); got != "1 robot, 1 phone, 2 mail" {
		t.Error(got)
	}
}

// Bad days of the channels: what could be delivered is, what could not is owed
// to the next invocation or goes to the fallback, and nothing comes twice.
func TestBadDaysOfChannels(t *testing.T) {
	robot := func(do fault.Handler) func(*world) {
		return func(w *world) { w.cloud.WeCom.Inject(1, do) }
	}
	for _, day := range []struct {
		name   string
		happen func(*world)
		mend   func(*world)
		first  string // delivered by the first invocation
		owed   int
		after  string // delivered after two more, ten and twenty minutes later
		log    string // said in the log
	}{
		{
			name:   "robot busy",
			happen: robot(wecom.Refuse(-1, "system busy")),
			first:  "0 robot, 1 phone, 2 mail", owed: 1, after: "1 robot, 1 phone, 2 mail", log: "system busy",
		}, {
			name:   "robot over its rate",
			happen: robot(wecom.Refuse(45009, "api freq out of limit")),
			first:  "0 robot, 1 phone, 2 mail", owed: 1, after: "1 robot, 1 phone, 2 mail", log: "45009",
		}, {
			name:   "HTML from a proxy",
			happen: robot(fault.Respond(200, "text/html", "<html>please log in</html>")),
			first:  "0 robot, 1 phone, 2 mail", owed: 1, after: "1 robot, 1 phone, 2 mail", log: "please log in",
		}, {
			name:   "half an answer, the message having arrived or not",
			happen: robot(fault.Truncate(`{"errcode":0,"errmsg":"ok"}`)),
			first:  "0 robot, 1 phone, 2 mail", owed: 1, after: "1 robot, 1 phone, 2 mail", log: "not delivered",
		}, {
			name:   "robot removed",
			happen: func(w *world) { w.cloud.WeCom.Remove("robot-secret-key") },
			first:  "0 robot, 1 phone, 3 mail", owed: 0, after: "0 robot, 1 phone, 3 mail", log: "93000",
		}, {
			name: "SMS package empty",
			happen: func(w *world) {
				w.cloud.Tencent.AddSMSApp(tencentcloud.SMSApp{ID: "1400000000", Signs: []string{"示例公司"}, ParamLimit: 20,
					Templates: []tencentcloud.SMSTemplate{{ID: "100", Text: "消费积压告警：{1}，请处理。"}}})
			},
			first: "1 robot, 0 phone, 3 mail", owed: 0, after: "1 robot, 0 phone, 3 mail", log: "InsufficientBalanceInSmsPackage",
		}, {
			name: "no answer from SMS: it may have rung",
			happen: func(w *world) {
				w.cloud.Tencent.Fail(tencentcloud.Fault{Action: "SendSms", Do: tencentcloud.Half})
			},
			first: "1 robot, 0 phone, 3 mail", owed: 0, after: "1 robot, 0 phone, 3 mail", log: "fallback",
		}, {
			name: "one bad recipient",
			happen: func(w *world) {
				w.cloud.SMTP.SetScript(smtp.Script{Recipients: map[string]smtp.Reply{"ops@example.com": {Code: 550, Text: "no such user"}}})
			},
			first: "1 robot, 1 phone, 2 mail", owed: 0, after: "1 robot, 1 phone, 2 mail", log: "no such user",
		}, {
			name: "SMTP refuses for now",
			happen: func(w *world) {
				w.cloud.SMTP.SetScript(smtp.Script{Data: smtp.Reply{Code: 451, Text: "try again later"}})
			},
			mend:  func(w *world) { w.cloud.SMTP.SetScript(smtp.Script{}) },
			first: "1 robot, 1 phone, 0 mail", owed: 1, after: "1 robot, 1 phone, 2 mail", log: "try again later",
		}, {
			name: "SMTP password wrong, and so at the fallback",
			happen: func(w *world) {
				w.cloud.SMTP.SetScript(smtp.Script{Auth: smtp.Reply{Code: 535, Text: "authentication failed"}})
			},
			first: "1 robot, 1 phone, 0 mail", owed: 0, after: "1 robot, 1 phone, 0 mail", log: "dead letter",
		},
	} {
		t.Run(day.name, func(t *testing.T) {
			w := newWorld(t)
			day.happen(w)
			answer := w.run(at(0))
			if got := w.counts(); got != day.first || answer.Pending != day.owed {
				t.Errorf("first invocation: %s, %d owed; want %s, %d owed\n%s", got, answer.Pending, day.first, day.owed, w.logs)
			}
			if day.mend != nil {
				day.mend(w)
			}
			w.stop()
			w.start()
			w.run(at(600))
			answer = w.run(at(1200))
			if got := w.counts(); got != day.after || answer.Pending != 0 {
				t.Errorf("afterwards: %s, %d owed; want %s, none owed\n%s", got, answer.Pending, day.after, w.logs)
			}
			if !strings.Contains(w.logs.String(), day.log) {
				t.Errorf("the log does not say %q:\n%s", day.log, w.logs)
			}
		})
	}
}

// Bad days of the cloud API: two polls that fail become an alert that says what
// to do, what was firing keeps firing meanwhile, and a success ends it.
func TestBadDaysOfPolling(t *testing.T) {
	for _, day := range []struct {
		name   string
		happen func(*world)
		mend   func(*world)
		says   string // in the message about the poll
	}{
		{
			name:   "wrong key",
			happen: func(w *world) { w.cloud.Tencent.SetKey("AKIDexample", tencentcloud.Key{Secret: "another"}) },
			mend:   func(w *world) { w.cloud.Tencent.SetKey("AKIDexample", tencentcloud.Key{Secret: "cloud-secret-key"}) },
			says:   "AuthFailure.SignatureFailure",
		}, {
			name: "no permission",
			happen: func(w *world) {
				w.cloud.Tencent.SetKey("AKIDexample", tencentcloud.Key{Secret: "cloud-secret-key", Deny: []string{"ckafka:DescribeGroup"}})
			},
			mend: func(w *world) { w.cloud.Tencent.SetKey("AKIDexample", tencentcloud.Key{Secret: "cloud-secret-key"}) },
			says: "ckafka:DescribeGroup",
		}, {
			name: "unknown instance",
			happen: func(w *world) {
				w.cloud.Tencent.AddInstance(tencentcloud.Instance{ID: "ckafka-1", Region: "ap-shanghai", Groups: tencentcloud.Table{}})
			},
			mend: func(w *world) { w.lag(map[string]int64{"paid": 5000}) },
			says: "ckafka-1",
		}, {
			name: "HTML from a proxy",
			happen: func(w *world) {
				w.cloud.Tencent.Fail(tencentcloud.Fault{Action: "DescribeGroup", Times: 6, Do: tencentcloud.Answer(502, "text/html", "<html>bad gateway</html>")})
			},
			says: "502",
		},
	} {
		t.Run(day.name, func(t *testing.T) {
			w := newWorld(t)
			w.run(at(0))
			day.happen(w)
			if a := w.run(at(60)); a.Polled != 0 || a.Alerts != 1 || a.Sent != 0 {
				t.Fatalf("first failure: %+v, want nothing said and one alert firing\n%s", a, w.logs)
			}
			a := w.run(at(120))
			inbox := w.cloud.WeCom.Inbox()
			if a.Alerts != 2 || len(inbox) != 2 {
				t.Fatalf("second failure: %+v and %d messages in the group, want 2 alerts and a second message\n%s", a, len(inbox), w.logs)
			}
			if text := inbox[1].Content; !strings.Contains(text, day.says) {
				t.Errorf("the message does not speak of %q:\n%s", day.says, text)
			}
			if day.mend != nil {
				day.mend(w)
			}
			a = w.run(at(180))
			inbox = w.cloud.WeCom.Inbox()
			if a.Alerts != 1 || a.Polled != 1 || len(inbox) != 3 {
				t.Fatalf("success: %+v and %d messages, want the lag still firing and the end of the failure told\n%s", a, len(inbox), w.logs)
			}
		})
	}
}

// The platform ends a function in two seconds while the cloud API hangs and the
// robot too: the answer comes in time, and what could not be said is owed.
func TestDeadlineInTwoSeconds(t *testing.T) {
	w := newWorld(t)
	w.cloud.WeCom.Inject(1, fault.Hang)
	begin := time.Now()
	if a := w.runFor(at(0), 2*time.Second); a.Pending != 1 || a.Alerts != 1 {
		t.Errorf("with a robot that hangs: %+v, want one owed\n%s", a, w.logs)
	}
	if took := time.Since(begin); took >= 2*time.Second {
		t.Errorf("took %v", took)
	}
	w.cloud.Tencent.Fail(tencentcloud.Fault{Action: "DescribeGroup", Do: tencentcloud.Hang})
	if a := w.runFor(at(600), 2*time.Second); a.Sent != 1 || a.Pending != 0 || a.Alerts != 1 {
		t.Errorf("with a cloud API that hangs: %+v, want what was owed sent, and the alert still firing\n%s", a, w.logs)
	}
	if got := w.counts(); got != "1 robot, 1 phone, 2 mail" {
		t.Error(got)
	}
}
