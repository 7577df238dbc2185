# Thin over ./bench.sh, which does the work and teaches: `./bench.sh help`. Arguments: make test ARGS="-k card".
.PHONY: help run test check bench fuzz lock clean
help run test check bench fuzz lock clean:
	@./bench.sh $@ $(ARGS)
