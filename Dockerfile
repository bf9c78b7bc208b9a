# Contains the program only: settings, keys and data are passed to the container at start.
FROM python:3.11-slim

# Extras of pyproject.toml, such as "postgres,s3".
ARG EXTRAS=""
ENV PYTHONUNBUFFERED=1

WORKDIR /app
COPY pyproject.toml constraints.txt README.md workspace.yaml ./
COPY pipeline pipeline
COPY dbt_project dbt_project
COPY examples examples
RUN pip install --no-cache-dir -c constraints.txt -e ".${EXTRAS:+[$EXTRAS]}"

# The user owns only data/, which is also its home: DuckDB keeps its extensions in its user's home.
RUN useradd --uid 10001 --no-create-home --home-dir /app/data --shell /usr/sbin/nologin selligent \
    && install -d -o selligent -g selligent -m 700 data
USER selligent
VOLUME /app/data

# Shuts the UI and its daemon down cleanly. A run of the command line stops, and the next one continues.
STOPSIGNAL SIGINT
CMD ["python", "-m", "pipeline", "run"]
