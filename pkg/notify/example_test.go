package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/webhook"
	"tocsin/pkg/setting"
)

// A channel's Config makes a Notifier, which turns a notification into messages. Each
// message is one call, with an outcome for each of its units.
func Example() {
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct{ Receiver, Status string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			fmt.Println(err)
		}
		fmt.Println("received:", body.Receiver, body.Status)
	}))
	defer receiver.Close()

	config := &webhook.Config{URL: setting.Secret(receiver.URL)}
	env := &notify.Env{HTTP: receiver.Client(), Now: time.Now}
	notifier, err := config.New(env, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	messages, err := notifier.Messages(&alert.Notification{
		ID: "1", Receiver: "ops", At: time.Now(),
		Alerts: []*alert.Alert{{Labels: alert.Labels{"alertname": "DiskFull"}, StartsAt: time.Now()}},
	})
	if err != nil {
		fmt.Println(err) // permanent: this channel cannot deliver the notification
		return
	}
	for _, m := range messages {
		for _, outcome := range m.Send(context.Background()) {
			if outcome.Err == nil {
				fmt.Println("accepted:", outcome.Unit)
			}
		}
	}
	// Output:
	// received: ops firing
	// accepted: 1/1
}

// The class of an error says what can be done about a failed delivery.
func ExampleError() {
	outcomes := []notify.Outcome{
		{Unit: "1/3"},
		{Unit: "2/3", Err: &notify.Error{Class: notify.Rate, RetryAfter: time.Minute, Message: "the robot has sent its 20 messages of this minute"}},
		{Unit: "3/3", Err: &notify.Error{Class: notify.Retry, Ambiguous: true, Message: "the connection broke before a response"}},
	}
	for _, o := range outcomes {
		if o.Err == nil {
			fmt.Println(o.Unit, "accepted")
			continue
		}
		switch e := notify.AsError(o.Err); e.Class {
		case notify.Permanent:
			fmt.Println(o.Unit, "to the fallback receiver")
		case notify.TooLong:
			fmt.Println(o.Unit, "again at half the size")
		default:
			fmt.Println(o.Unit, "again after", e.RetryAfter, "unless it may have arrived:", e.Ambiguous)
		}
	}
	// Output:
	// 1/3 accepted
	// 2/3 again after 1m0s unless it may have arrived: false
	// 3/3 again after 0s unless it may have arrived: true
}
