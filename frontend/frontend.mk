# The page: own files and the libraries it keeps, in one folder that the gateway serves; and the
# development sign-in, a program of its own with its libraries beside it.
# Libraries are installed under B, never into the source tree, exactly as package-lock.json says.
PAGE := $(B)/frontend
PAGE_DEPS := $(B)/frontend-deps
PAGE_FILES := $(wildcard frontend/*.html frontend/*.css frontend/*.svg frontend/js/*.js) \
	frontend/config.json

SIGNIN := $(B)/dev-signin
SIGNIN_FILES := $(wildcard frontend/dev-signin/*.js frontend/dev-signin/*.css) frontend/icon.svg \
	frontend/dev-signin/accounts.json
OIDC := $(PAGE_DEPS)/node_modules/oidc-client-ts
JWT_DECODE := $(PAGE_DEPS)/node_modules/jwt-decode

.PHONY: frontend
frontend: $(B)/.frontend.stamp $(B)/.dev-signin.stamp ## build the page and the development sign-in

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
	sed -e 's|from "jwt-decode"|from "./jwt-decode.js"|' -e '/^\/\/# sourceMappingURL/d' \
		$(OIDC)/dist/esm/oidc-client-ts.js > $(PAGE).new/vendor/oidc-client.js
	cp $(OIDC)/LICENSE $(PAGE).new/vendor/oidc-client-license.txt
	cp $(JWT_DECODE)/build/esm/index.js $(PAGE).new/vendor/jwt-decode.js
	cp $(JWT_DECODE)/LICENSE $(PAGE).new/vendor/jwt-decode-license.txt
	sed 's/font-display: swap/font-display: optional/' \
		$(PAGE_DEPS)/node_modules/@fontsource-variable/inter/wght.css > $(PAGE).new/vendor/inter/inter.css
	cp $(PAGE_DEPS)/node_modules/@fontsource-variable/inter/files/*-wght-normal.woff2 $(PAGE).new/vendor/inter/files/
	cp $(PAGE_DEPS)/node_modules/@fontsource-variable/inter/LICENSE $(PAGE).new/vendor/inter/license.txt
	@mkdir -p $(PAGE)
	@rm -rf $(PAGE)/*
	@mv $(PAGE).new/* $(PAGE)/
	@rmdir $(PAGE).new
	@touch $@

$(SIGNIN)/.deps.stamp: frontend/dev-signin/package.json frontend/dev-signin/package-lock.json frontend/.npmrc
	@mkdir -p $(SIGNIN)
	cp $^ $(SIGNIN)/
	cd $(SIGNIN) && npm ci --ignore-scripts --loglevel=error
	@touch $@

$(B)/.dev-signin.stamp: $(SIGNIN_FILES) frontend/dev-signin/. $(SIGNIN)/.deps.stamp
	@rm -f $(SIGNIN)/*.js $(SIGNIN)/*.css
	cp $(SIGNIN_FILES) $(SIGNIN)/
	@touch $@
