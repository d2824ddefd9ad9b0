//go:build !lambda

package faas

import (
	"cmp"
	"context"
	"errors"
	"os"
	"time"

	"github.com/tencentyun/scf-go-lib/cloudfunction"
	"github.com/tencentyun/scf-go-lib/functioncontext"
)

// serveSCF speaks the wire of SCF's runtime Go1 through scf-go-lib. The library
// puts the environment that comes with each event into the process's before the
// handler runs, so that rotated credentials are seen by whoever reads them then.
func serveSCF(in *instance) error {
	cloudfunction.StartHandler(onSCF{in})
	return errors.New("scf-go-lib returned")
}

// onSCF is a cloudfunction.Handler.
type onSCF struct{ in *instance }

func (s onSCF) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	var inv Invocation
	var limit time.Duration
	if c, ok := functioncontext.FromContext(ctx); ok {
		inv = Invocation{RequestID: c.RequestID, Function: c.FunctionName}
		limit = time.Duration(c.TimeLimitInMs) * time.Millisecond
	}
	inv.Function = cmp.Or(inv.Function, os.Getenv("SCF_FUNCTIONNAME"))
	ctx, cancel := withLimit(ctx, limit)
	defer cancel()
	return s.in.invoke(ctx, inv, event)
}

// withLimit gives ctx the platform's time limit when ctx has no deadline that
// can be meant. scf-go-lib turns a deadline that was not sent into 1970, which
// would cancel every event before it begins; the limit, counted from now, takes
// its place, or no deadline when there is no limit either.
func withLimit(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if d, ok := ctx.Deadline(); ok {
		if d.Unix() > 0 {
			return ctx, func() {}
		}
		ctx = context.WithoutCancel(ctx)
	}
	if limit <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, limit)
}
