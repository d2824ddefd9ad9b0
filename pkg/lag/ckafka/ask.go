package ckafka

import (
	"context"
	"errors"

	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"

	"tocsin/pkg/tencent"
)

// apiVersion is the version of the actions that are asked for.
const apiVersion = "2019-08-19"

// errNoList is an answer without the list that was asked for.
var errNoList = errors.New("the answer holds no list")

// params are the parameters of the three actions, as far as they are set.
type params struct {
	InstanceId    string
	Group         string   `json:",omitempty"`
	GroupList     []string `json:",omitempty"`
	Offset, Limit int64    `json:",omitzero"`
}

// ask asks for one page of a list when its turn comes, and again if it failed for
// a passing reason.
func ask[L interface{ length() *int64 }](ctx context.Context, r *Reader, action string, p params) (list L, err error) {
	p.InstanceId = r.cluster.CKafka.InstanceID
	err = tencent.Retry(ctx, func(ctx context.Context) error {
		if err := r.limiter.Wait(ctx); err != nil {
			return tencent.OutOfTime(action, err)
		}
		return tencent.Do(ctx, r.key, action, func(ctx context.Context) error {
			request := tencent.NewRequest(tencent.Take(ctx, &list), action, apiVersion, p)
			err := r.client.Send(request, new(tchttp.BaseResponse))
			if err == nil && list.length() == nil {
				err = errNoList
			}
			return err
		})
	})
	return list, err
}
