package functions

import (
	"testing"

	"tocsin/pkg/localcloud/lambda"
	"tocsin/pkg/localcloud/scf"
)

// BenchmarkColdStart measures the time from the start of the process to the first result,
// with the time that the emulated platform takes. For comparison, the bare function does
// nothing; it has AWS's library and the same build flags.
func BenchmarkColdStart(b *testing.B) {
	must(b, build("bare-lambda", lambdaTags, "./testdata/bare"))
	for _, name := range []string{"bare-lambda", "echo-lambda"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f, err := lambda.Start(lambda.Options{Binary: binary(name)})
				must(b, err)
				_, err = f.Invoke(b.Context(), schedulerEvent("minute"), lambda.InvokeOptions{})
				must(b, err)
				b.StopTimer()
				f.Close()
				b.StartTimer()
			}
		})
	}
	b.Run("echo-scf", func(b *testing.B) {
		for b.Loop() {
			f, err := scf.StartGo1(b.Context(), scf.Options{Binary: binary("echo-scf")})
			must(b, err)
			_, err = f.Invoke(b.Context(), scfTimerEvent("minute"), scf.InvokeOptions{})
			must(b, err)
			b.StopTimer()
			f.Close()
			b.StartTimer()
		}
	})
}
