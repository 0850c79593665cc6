# The page: own files and the two libraries it keeps, in one folder that the gateway serves.
# Libraries are installed under B, never into the source tree, exactly as package-lock.json says.
PAGE := $(B)/frontend
PAGE_DEPS := $(B)/frontend-deps
PAGE_FILES := $(wildcard frontend/*.html frontend/*.css frontend/*.svg frontend/js/*.js)

.PHONY: frontend
frontend: $(B)/.frontend.stamp ## build the page

$(PAGE_DEPS)/.stamp: frontend/package.json frontend/package-lock.json frontend/.npmrc
	@mkdir -p $(PAGE_DEPS)
	cp $^ $(PAGE_DEPS)/
	cd $(PAGE_DEPS) && npm ci --ignore-scripts --loglevel=error
	@touch $@

# The folders are prerequisites so that a file that is taken away goes from the page too. The page's
# folder itself stays: a running gateway holds it open.
$(B)/.frontend.stamp: $(PAGE_FILES) frontend/. frontend/js/. frontend/frontend.mk $(PAGE_DEPS)/.stamp
	@rm -rf $(PAGE).new
	@mkdir -p $(PAGE).new/js $(PAGE).new/vendor/inter/files
	cp $(filter-out frontend/js/%,$(PAGE_FILES)) $(PAGE).new/
	cp $(filter frontend/js/%,$(PAGE_FILES)) $(PAGE).new/js/
	cp $(PAGE_DEPS)/node_modules/uplot/dist/uPlot.esm.js $(PAGE).new/vendor/uplot.js
	cp $(PAGE_DEPS)/node_modules/uplot/dist/uPlot.min.css $(PAGE).new/vendor/uplot.css
	cp $(PAGE_DEPS)/node_modules/uplot/LICENSE $(PAGE).new/vendor/uplot-license.txt
	sed 's/font-display: swap/font-display: optional/' \
		$(PAGE_DEPS)/node_modules/@fontsource-variable/inter/wght.css > $(PAGE).new/vendor/inter/inter.css
	cp $(PAGE_DEPS)/node_modules/@fontsource-variable/inter/files/*-wght-normal.woff2 $(PAGE).new/vendor/inter/files/
	cp $(PAGE_DEPS)/node_modules/@fontsource-variable/inter/LICENSE $(PAGE).new/vendor/inter/license.txt
	@mkdir -p $(PAGE)
	@rm -rf $(PAGE)/*
	@mv $(PAGE).new/* $(PAGE)/
	@rmdir $(PAGE).new
	@touch $@
