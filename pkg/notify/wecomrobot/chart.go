package wecomrobot

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"tocsin/pkg/alert"
	"tocsin/pkg/chart"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/render"
)

// chartUnit is the unit of the chart that follows the text.
const chartUnit = "picture"

// chart returns the message with the chart of the worst alert that has one, nil when
// none has. The chart is drawn when the message is sent, after the text.
func (r *robot) chart(n *alert.Notification, doc *render.Document, address, target string) []notify.Message {
	charts := doc.Charts(1)
	if !r.charts || len(charts) == 0 || chat.Accepted(n, chartUnit) {
		return nil
	}
	m := chat.NewMessage(target, chartUnit, "["+charts[0].Alt+"]", func(ctx context.Context) error {
		payload, err := imageMessage(charts[0].Series)
		if err != nil {
			return err
		}
		return send(ctx, r.env.HTTP, address, payload)
	})
	m.Optional = true
	return []notify.Message{m}
}

// imageMessage draws a chart into a message of type image: the PNG in base64, and its
// MD5 (document/path/99110). WeCom takes up to 2 MB; a chart has up to 60 KB.
func imageMessage(s chart.Series) ([]byte, error) {
	png, err := chart.PNG(s)
	if err != nil {
		return nil, &notify.Error{Class: notify.Permanent, Message: "the chart cannot be drawn", Err: err}
	}
	type image struct {
		Base64 string `json:"base64"`
		MD5    string `json:"md5"`
	}
	sum := md5.Sum(png)
	payload, err := notify.EncodeJSON(struct {
		MsgType string `json:"msgtype"`
		Image   image  `json:"image"`
	}{"image", image{base64.StdEncoding.EncodeToString(png), hex.EncodeToString(sum[:])}})
	if err != nil {
		return nil, fmt.Errorf("encode the chart: %w", err)
	}
	return payload, nil
}
