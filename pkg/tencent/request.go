package tencent

import (
	"context"
	"encoding/json"
	"strings"

	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"
)

// NewRequest returns a request of an action, such as "ckafka:DescribeGroup", in
// a version of its product's API. params becomes the request's JSON.
//
// The request is for the SDK's common client. The clients of the products hold
// all of a product's actions, hundreds of types, and the linker keeps every one
// of their methods in a binary that has templates, because templates call
// methods by name: 3 MB for two products.
func NewRequest(ctx context.Context, action, version string, params any) tchttp.Request {
	product, name, _ := strings.Cut(action, ":")
	base := new(tchttp.BaseRequest).Init().WithApiInfo(product, version, name)
	base.SetContext(ctx)
	return request{base, params}
}

type request struct {
	*tchttp.BaseRequest
	params any
}

// MarshalJSON is what the SDK makes the body from.
func (r request) MarshalJSON() ([]byte, error) { return json.Marshal(r.params) }
