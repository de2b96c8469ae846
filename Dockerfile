# The bot without the embedded PostgreSQL's data: give it EVIL2ROOT_DATABASE_URL, or a volume on /data.
FROM python:3.11-slim AS build
# Where a private index or a CPU build of torch is found; empty: the public index alone.
ARG PIP_EXTRA_INDEX_URL=""
# "deep" adds torch and reinforcement learning.
ARG WITH=""
WORKDIR /app
COPY . .
RUN PIP_EXTRA_INDEX_URL="$PIP_EXTRA_INDEX_URL" ./evil2root setup ${WITH:+--with "$WITH"} \
    && .venv/bin/python -m compileall -q .venv/lib src

FROM python:3.11-slim
RUN useradd --system --uid 1000 --create-home --home-dir /data evil2root
COPY --from=build /app /app
USER evil2root
WORKDIR /data
VOLUME /data
ENV EVIL2ROOT_DATA_DIR=/data \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1 \
    MKL_NUM_THREADS=1 \
    PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["/app/.venv/bin/python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["/app/.venv/bin/evil2root"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
