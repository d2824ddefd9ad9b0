package wecomrobot

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"

	"tocsin/pkg/alert"
	"tocsin/pkg/chart"
	"tocsin/pkg/notify"
	"tocsin/pkg/render"
)

// pictureUnit is the unit of the chart that follows the text.
const pictureUnit = "picture"

// picture returns the message with the chart of the worst alert that has one, nil
// when none has. It is drawn when it is sent: the text has gone out by then.
func (r *robot) picture(n *alert.Notification, doc *render.Document, address string) []notify.Message {
	pictures := doc.Charts(1)
	if !r.pictures || len(pictures) == 0 || slices.Contains(n.AcceptedUnits, pictureUnit) {
		return nil
	}
	p, units := pictures[0], []string{pictureUnit}
	return []notify.Message{{
		Target:   targetOf(address),
		Units:    units,
		Text:     "[" + p.Alt + "]",
		Optional: true,
		Send: func(ctx context.Context) []notify.Outcome {
			payload, err := imageMessage(p.Series)
			if err == nil {
				err = send(ctx, r.env.HTTP, address, payload)
			}
			return notify.Outcomes(units, err)
		},
	}}
}

// imageMessage draws a chart into a message of type image: base64, and the MD5 of
// the bytes before it (document/path/99110). It may have 2 MB, and has 60 KB at
// most.
func imageMessage(s chart.Series) ([]byte, error) {
	picture, err := chart.PNG(s)
	if err != nil {
		return nil, &notify.Error{Class: notify.Permanent, Message: "the picture cannot be drawn", Err: err}
	}
	type image struct {
		Base64 string `json:"base64"`
		MD5    string `json:"md5"`
	}
	sum := md5.Sum(picture)
	payload, err := notify.EncodeJSON(struct {
		MsgType string `json:"msgtype"`
		Image   image  `json:"image"`
	}{"image", image{base64.StdEncoding.EncodeToString(picture), hex.EncodeToString(sum[:])}})
	if err != nil {
		return nil, fmt.Errorf("encode the picture: %w", err)
	}
	return payload, nil
}
